--- Adds nodes and edges to an open flow, in one step. The nodes are given, or staged before.
---
--- @arg flow     id
--- @arg request  bytes  16 bytes of request id
--- @arg by       text   the same in hex digits
--- @arg revision int    that is extended
--- @arg first    int    how many nodes it has
--- @arg count    int    of new nodes
--- @arg edges    int    how many are new
--- @arg staged   flag   whether the new nodes are staged
--- @arg nodes    bytes  twenty-one values of each, see `nodes`
--- @arg touched  bytes  four values of each node that is there and gets edges, see `extension`
--- @ok revision int
--- @ok left     text  flows in which something is left to do, joined by commas
--- @err FLOW_NOT_FOUND FLOW_ENDED FLOW_CANCELLED FLOW_REVISION FLOW_NOT_STAGED FLOW_BUSY NODE_STARTED BUDGET_NOT_FOUND LANE_DRAINING LANE_FULL
local backlog = require("backlog")
local effort = require("effort")
local clock = require("clock")
local extension = require("extension")
local flow = require("flow")
local nodes = require("nodes")
local operator = require("operator")
local packed = require("packed")
local propagate = require("propagate")
local reply = require("reply")
local staged = require("staged")
local work = require("work")

local OWN = { extended = true }

--- A caller that saw another revision than it extends sends neither nodes nor edges, and learns the revision.
local function refusal(fl, by, revision, first, count, edges, are_staged, values, touched_text)
  if fl.f.ea then
    return reply.err("FLOW_ENDED", fl.state)
  elseif fl.f.ca then
    return reply.err("FLOW_CANCELLED", fl.flow)
  elseif fl.revision ~= tonumber(revision) or fl.nodes ~= tonumber(first) then
    return reply.err("FLOW_REVISION", fl.revision)
  elseif are_staged == "1" and not staged.is_complete(fl, by, fl.nodes + tonumber(count)) then
    return reply.err("FLOW_NOT_STAGED")
  elseif are_staged == "0" and nodes.count(values) ~= tonumber(count) then
    return reply.err("FLOW_REVISION", fl.revision)
  elseif count == "0" and edges ~= "0" and touched_text == "" then
    return reply.err("FLOW_REVISION", fl.revision)
  elseif backlog.is_stored(fl, "s") then
    return reply.err("FLOW_BUSY")
  end
  return nil
end

return function(partition, id, request, by, revision, first, count, edges, are_staged, text, touched_text)
  local now = clock.now_ms(partition)
  local fl = flow.open(partition, id)
  if not fl then
    return reply.err("FLOW_NOT_FOUND")
  end
  local before = operator.done_by(fl, request, OWN)
  if before then
    return reply.ok(string.match(before, "%d+"), fl.f.lf and id or "")
  end
  local values = packed.read(text)
  local refused = refusal(fl, by, revision, first, count, edges, are_staged, values, touched_text)
  if refused then
    return refused
  end
  local w = work.on(fl, now)
  local touched, started = extension.touched(w, touched_text)
  if not touched then
    return started
  end
  refused = nodes.refused(partition, values, w.looked)
  if refused then
    return refused
  end
  local from = fl.nodes
  if are_staged == "1" then
    staged.seal(fl)
  else
    nodes.create(partition, id, from, values, staged.stored(fl), w.looked, now)
  end
  extension.note(fl, tonumber(count), tonumber(edges))
  operator.remember(fl, request, "extended " .. string.format("%d", fl.revision))
  flow.save(fl, now)
  w = work.again(w)
  extension.apply(w, touched)
  propagate.run(w)
  return reply.ok(fl.revision, effort.left(w.looked))
end
