--- What every verb of an operator does around its own decision: find the execution, recognise a
--- repeat, remember what was done, and commit.
local effort = require("effort")
local clock = require("clock")
local execution = require("execution")
local operator = require("operator")
local reply = require("reply")

local steered = {}

--- Lets `decide(r, now)` change an execution. It answers an outcome, and true behind it when it
--- changed something. `own` says which remembered outcomes are those of this verb: a repeat of the
--- same request gives the one it had.
function steered.by(partition, id, request, own, decide)
  local now = clock.now_ms(partition)
  local r = execution.open(partition, id)
  if not r then
    return reply.err("NOT_FOUND")
  end
  local before = operator.done_by(r, request, own)
  if before then
    return reply.ok(before, "")
  end
  local outcome, changed, refused = decide(r, now)
  if refused then
    return refused
  elseif changed then
    operator.remember(r, request, outcome)
    execution.commit(r, now)
  end
  return reply.ok(outcome, effort.left(r.looked))
end

return steered
