// The directory that a server shows, and nothing beside it.
//
// Names come from the network. A name is relative, has no empty, "." or ".." component and no NUL;
// symbolic links are followed as long as they stay inside. Only regular files are served, and none
// that are named as the parts of others.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "unique_fd.h"

namespace stoq::tool {

// Whether a name may be looked up at all.
bool is_plain_name(std::string_view name);

struct OpenFile {
    UniqueFd descriptor;
    std::uint64_t size = 0;
    // errno when there is no descriptor; EXDEV or ELOOP: the name leads outside; EACCES: it is no
    // regular file, or named as a part
    int error = 0;
};

// A file that is being uploaded: ".<name>.part" beside the name it will get.
struct PartFile {
    UniqueFd directory;
    UniqueFd descriptor;  // positioned at the end, locked against a second upload
    std::string part_name;
    std::string final_name;
    std::uint64_t size = 0;
    // As that of an OpenFile; EEXIST: the final name is taken; EWOULDBLOCK: somebody else is
    // uploading it, or was until now
    int error = 0;
};

class RootDirectory {
public:
    // Throws Failure (kLocalFile) when `path` is no directory.
    explicit RootDirectory(const std::string& path);

    OpenFile open_file(std::string_view name) const;
    // `overwrite`: the final name may exist.
    PartFile open_part(std::string_view name, bool overwrite) const;
    // Gives the part its final name. Returns errno, 0 when it worked.
    static int complete(const PartFile& part, bool overwrite);
    static void discard(const PartFile& part);

private:
    int open_beneath(const std::string& name, int flags) const;

    UniqueFd root_;
};

}  // namespace stoq::tool
