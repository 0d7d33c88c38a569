--- Cancels a flow, or takes its cancellation further. The outcome is `cancelled`, or `ended` and the state
--- in which it had.
---
--- @flags allow-oom
--- @arg flow    id
--- @arg request bytes  16 bytes of request id
--- @arg policy  text   `o` flow only, `p` pending or `a` all
--- @arg reason  text
--- @ok outcome text
--- @ok open    int   members that have not ended
--- @ok left    text  flows in which something is left to do, joined by commas
--- @err FLOW_NOT_FOUND
local effort = require("effort")
local clock = require("clock")
local flow = require("flow")
local operator = require("operator")
local propagate = require("propagate")
local reply = require("reply")
local sweep = require("sweep")
local work = require("work")

local OWN = { cancelled = true }
local REACH = { o = 1, p = 2, a = 3 }

return function(partition, id, request, policy, reason)
  local now = clock.now_ms(partition)
  local fl = flow.open(partition, id)
  if not fl then
    return reply.err("FLOW_NOT_FOUND")
  elseif operator.done_by(fl, request, OWN) then
    return reply.ok("cancelled", fl.open, fl.f.lf and id or "")
  elseif fl.f.ea then
    return reply.ok("ended " .. fl.state, 0, "")
  end
  local w, _, reached = work.on(fl, now), flow.cancel(fl)
  operator.remember(fl, request, "cancelled")
  if not reached or REACH[reached] < REACH[policy] then
    sweep.begin(w, "r", policy, reason)
  end
  propagate.run(w)
  return reply.ok("cancelled", fl.open, effort.left(w.looked))
end
