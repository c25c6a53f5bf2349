// The directory that is served. Names are flat: nothing outside of it can be named.
#pragma once

#include <optional>
#include <string>

#include "stoq/shared_bytes.h"

namespace stoq_hq {

class Root {
public:
    // Exits when it cannot be opened.
    explicit Root(const std::string& path);
    ~Root();
    Root(const Root&) = delete;
    Root& operator=(const Root&) = delete;

    // The bytes of a regular file that lies directly in the directory.
    std::optional<stoq::SharedBytes> read(const std::string& name) const;

private:
    int descriptor_;
};

}  // namespace stoq_hq
