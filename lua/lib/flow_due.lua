--- What time alone does to a flow.
local effort = require("effort")
local flow = require("flow")
local keys = require("keys")
local nodes = require("nodes")
local propagate = require("propagate")
local record = require("record")
local staged = require("staged")
local sweep = require("sweep")
local timers = require("timers")
local work = require("work")

local flow_due = {}

--- Removes a flow, a part of its members at a time: from the first on nobody sees it.
local function remove(fl, now, looked)
  local from = fl.state == "removing" and fl.nodes or staged.stored(fl)
  local to = math.max(from - math.max(looked.visits, 1), 0)
  looked.visits = looked.visits - math.max(from - to, 1)
  for index = from - 1, to, -1 do
    nodes.remove(fl.partition, fl.flow, index)
  end
  if to > 0 then
    fl.state, fl.nodes = "removing", to
    record.set(fl, "sg", fl.due)
    record.set(fl, "ea", nil)
    flow.save(fl, now)
    return "flows_advanced"
  end
  timers.remove(fl)
  redis.call("ZREM", keys.flows(fl.partition), fl.flow)
  redis.call("DEL", keys.flow(fl.partition, fl.flow), keys.backlog(fl.partition, "x", fl.flow))
  return "flows_removed"
end

--- Handles one thing that is due of a flow. Answers what it was, or nil when nothing is due.
function flow_due.handle(fl, now, looked)
  if not fl.due or tonumber(fl.due) > now then
    return nil
  elseif fl.f.lf then
    propagate.run(work.on(fl, now, looked))
    return "flows_advanced"
  elseif fl.f.ea or not flow.is_seen(fl.state) then
    return remove(fl, now, effort.of(looked))
  end
  local w = work.on(fl, now, looked)
  sweep.begin(w, "d", "a", "the flow missed its deadline")
  propagate.run(w)
  return "flows_expired"
end

return flow_due
