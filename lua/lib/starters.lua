--- Who starts a child flow: a running execution, under its lease.
local children = require("children")
local execution = require("execution")
local fence = require("fence")
local flow = require("flow")
local member = require("member")
local reply = require("reply")

local starters = {}

--- How deep child flows may lie within each other.
local DEPTH_MAX = 8

--- The record of the starter, and how deep its flow will lie; or a refusal, as the third value.
function starters.of(partition, id, its, now)
  local r = execution.open(partition, id)
  if not r then
    return nil, nil, reply.err("NOT_FOUND")
  end
  local refused = fence.refused(r, its, now)
  if refused then
    return nil, nil, refused
  elseif r.f.ca then
    return nil, nil, reply.err("CANCEL_REQUESTED")
  end
  local own = r.f.nd and flow.open(partition, member.node(r).flow)
  local depth = (own and tonumber(own.f.dd or "0") or 0) + 1
  if depth > DEPTH_MAX then
    return nil, nil, reply.err("FLOW_DEPTH", depth)
  elseif children.count(r) + 1 > children.OPEN_MAX then
    return nil, nil, reply.err("CHILD_FLOWS", children.count(r) + 1)
  end
  return r, depth
end

--- Notes that it has started a flow.
function starters.add(r, flow_id, now)
  children.add(r, flow_id)
  execution.commit(r, now)
end

return starters
