--- Stores some nodes of a flow, or of its extension, where nobody sees them until it is sealed. The codes
--- of a refusal are followed by what the flow says.
---
--- @arg flow        id
--- @arg fingerprint text  of a new flow, or empty for an extension
--- @arg by          text  who stores: hex digits
--- @arg first       int   index of the first node
--- @arg nodes       bytes twenty-one values of each, see `nodes`
--- @ok sealed flag  the flow has been stored as a whole before
--- @err FLOW_NOT_FOUND FLOW_ID FLOW_BUSY FLOW_REVISION FLOW_NOT_STAGED BUDGET_NOT_FOUND LANE_DRAINING LANE_FULL
local clock = require("clock")
local flow = require("flow")
local keys = require("keys")
local nodes = require("nodes")
local number = require("number")
local record = require("record")
local packed = require("packed")
local reply = require("reply")
local staged = require("staged")

local function refusal(fl, fingerprint, by, first)
  if fl.state == "removing" then
    return fingerprint ~= "" and reply.err("FLOW_BUSY") or reply.err("FLOW_NOT_FOUND")
  elseif fingerprint ~= "" and fl.fingerprint ~= fingerprint then
    return reply.err("FLOW_ID")
  elseif fingerprint == "" and fl.state == "staged" then
    return reply.err("FLOW_NOT_FOUND")
  elseif first < fl.nodes then
    return reply.err("FLOW_REVISION", fl.revision)
  elseif not staged.may_go_on(fl, by, first) then
    return reply.err("FLOW_NOT_STAGED")
  end
  return nil
end

local function fresh(partition, id, fingerprint, now)
  local submitted, standing = number.text(now) .. " i 0 " .. fingerprint, "staged 0 0 0 0 0"
  local fl = flow.new(partition, id, submitted, standing)
  fl.f = {}
  record.set(fl, "s", submitted)
  return fl
end

return function(partition, id, fingerprint, by, first, text)
  local now = clock.now_ms(partition)
  local fl = flow.load(partition, id)
  first = tonumber(first)
  if not fl and fingerprint == "" then
    return reply.err("FLOW_NOT_FOUND")
  end
  fl = fl or fresh(partition, id, fingerprint, now)
  local refused = refusal(fl, fingerprint, by, first)
  if refused then
    return fingerprint ~= "" and fl.state ~= "staged" and fl.fingerprint == fingerprint and reply.ok("1") or refused
  end
  local values = packed.read(text)
  local unfit = nodes.refused(partition, values, {})
  if unfit then
    return unfit
  end
  if first == fl.nodes then
    redis.call("DEL", keys.backlog(partition, "x", id))
  end
  local count = nodes.stage(partition, id, first, values, now)
  staged.note(fl, by, first + count)
  if fl.state == "staged" then
    record.set_number(fl, "sg", number.later(now, staged.KEPT_MS))
  end
  flow.save(fl, now)
  return reply.ok("0")
end
