--- Makes a waitpoint, or gives the open one of its key.
---
--- @arg id      id
--- @arg attempt int
--- @arg epoch   int
--- @arg lease   bytes  16 bytes
--- @arg waitpoint  id
--- @arg key        text
--- @arg expires_in int   ms
--- @arg kids       text  ids of the keys that verify tokens, joined by commas: the one that signs, then `<id>=<until>`
--- @ok waitpoint list  id, key, expiry, key id
--- @err NOT_FOUND STALE_LEASE LEASE_EXPIRED LEASE_REVOKED ALREADY_TERMINAL ALREADY_RELEASED WAITPOINT_ID WAITPOINTS
local held = require("held")
local reply = require("reply")
local waitpoints = require("waitpoints")
local waits = require("waits")

return function(partition, id, attempt, epoch, lease_id, waitpoint, key, expires_in, kids)
  return held.by(partition, id, attempt, epoch, lease_id, nil, function(r, now)
    local w = waits.of(r)
    local known = w.known[waitpoint]
    if known and known.key ~= key then
      return reply.err("WAITPOINT_ID"), false
    elseif known and not waitpoints.is_open(known, now) then
      return reply.ok(waitpoints.parts(known)), false
    end
    local p, changed, refusal = waitpoints.open_or_new(w, waitpoint, key, expires_in, kids, now)
    if not p then
      return refusal, false
    elseif changed then
      return reply.ok(waitpoints.parts(p))
    end
    return reply.ok(waitpoints.parts(p)), false
  end)
end
