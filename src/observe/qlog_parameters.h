// Transport parameters and addresses as qlog describes them.
#pragma once

#include "observe/json_writer.h"
#include "stoq/types.h"
#include "wire/transport_parameters.h"

namespace stoq::observe::qlog {

// Fields of the data of parameters_set. Stateless reset tokens are secrets and are left out.
void write_parameters(JsonWriter& json, const wire::TransportParameters& parameters);

// Fields of a TupleEndpointInfo. Nothing is written for an address or id that is empty.
void write_endpoint(JsonWriter& json, const Address& address, ByteView connection_id);

}  // namespace stoq::observe::qlog
