--- What every verb of a lease holder does around its own decision: find the execution, recognise a
--- repeat, check the fence, and commit.
local effort = require("effort")
local clock = require("clock")
local execution = require("execution")
local fence = require("fence")
local lease = require("lease")
local reply = require("reply")

local held = {}

--- Lets `decide(r, now)` change an execution under a live lease, and commits. It answers the reply,
--- and as a second value what it did when it gives the lease back, or a refusal before it changed
--- anything, marked by a second value of false.
---
--- `call` names the verb and a digest of its arguments for a verb that gives the lease back:
--- when this same call was made before, the answer is `OK` and what it did then, or what
--- `again(r, did)` makes of it.
function held.by(partition, id, attempt, epoch, lease_id, call, decide, again)
  local now = clock.now_ms(partition)
  local r = execution.open(partition, id)
  if not r then
    return reply.err("NOT_FOUND")
  end
  local its = fence.of(attempt, epoch, lease_id)
  local before = call and not fence.is_live(r.f, its) and fence.repeated(r, its, call)
  if before then
    return again and again(r, before) or reply.ok(before, "")
  end
  local refusal = fence.refused(r, its, now)
  if refusal then
    return refusal
  end
  local answer, released = decide(r, now)
  if released == false then
    return answer
  elseif released then
    lease.release(r, call, released)
  end
  execution.commit(r, now)
  return answer or reply.ok(released, effort.left(r.looked))
end

return held
