--- Records the result of a step, unless the step has one: the first stands. The outcome is `recorded`,
--- also when the result is the one that stands, or `stands` and that.
---
--- @arg id      id
--- @arg attempt int
--- @arg epoch   int
--- @arg lease   bytes  16 bytes
--- @arg name    text
--- @arg type    text   content type; empty for the default one
--- @arg result  bytes
--- @ok outcome text
--- @ok type    text
--- @ok result  bytes
--- @err NOT_FOUND STALE_LEASE LEASE_EXPIRED LEASE_REVOKED ALREADY_TERMINAL ALREADY_RELEASED STEPS STEP_RESULTS
local held = require("held")
local kept = require("kept")
local reply = require("reply")

return function(partition, id, attempt, epoch, lease_id, name, content_type, result)
  return held.by(partition, id, attempt, epoch, lease_id, nil, function(r, now)
    local its_type, stands = kept.step(r, name)
    if stands and its_type == content_type and stands == result then
      return reply.ok("recorded", "", ""), false
    elseif stands then
      return reply.ok("stands", its_type, stands), false
    end
    local limit, reached = kept.add_step(r, name, content_type, result, now)
    if limit == "STEPS" then
      return reply.err("STEPS", reached), false
    elseif limit then
      return reply.err("STEP_RESULTS", reached), false
    end
    return reply.ok("recorded", "", "")
  end)
end
