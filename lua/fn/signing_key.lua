--- The key that signs waitpoint tokens where none is configured: the one that stands, or else the one
--- that is proposed, from now on. Empty when none stands and none is proposed.
---
--- @flags allow-oom
--- @arg proposed bytes  or empty
--- @ok secret bytes
local keys = require("keys")
local reply = require("reply")

return function(partition, proposed)
  local stands = redis.call("GET", keys.signing_key(partition))
  if not stands and proposed ~= "" then
    redis.call("SET", keys.signing_key(partition), proposed)
    stands = proposed
  end
  return reply.ok(stands or "")
end
