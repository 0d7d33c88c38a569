--- The key that signs waitpoint tokens where none is configured: the one that stands, or else this one
--- from now on.
---
--- @arg proposed bytes
--- @ok secret bytes
local keys = require("keys")
local reply = require("reply")

return function(partition, proposed)
  redis.call("SETNX", keys.signing_key(partition), proposed)
  return reply.ok(redis.call("GET", keys.signing_key(partition)))
end
