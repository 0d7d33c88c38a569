--- Stores a flow as a whole: with its nodes, or by sealing those that are staged.
---
--- @arg flow        id
--- @arg fingerprint text  of the whole
--- @arg policy      text  `i` isolate or `f` fail fast, then its budgets, 32 digits each
--- @arg retention   int   ms
--- @arg deadline    text  or empty
--- @arg tags        text  `<key> <value>` a line
--- @arg count       int   of nodes
--- @arg edges       int   how many there are
--- @arg parent      text  the execution that starts it, or empty
--- @arg attempt     int   of its lease
--- @arg epoch       int
--- @arg lease       bytes 16 bytes
--- @arg staged      flag  whether the nodes are staged
--- @arg nodes       bytes twenty-one values of each, see `nodes`
--- @ok left text  flows in which something is left to do, joined by commas
--- @err FLOW_ID FLOW_BUSY FLOW_NOT_STAGED NOT_FOUND STALE_LEASE LEASE_EXPIRED LEASE_REVOKED ALREADY_TERMINAL ALREADY_RELEASED CANCEL_REQUESTED FLOW_DEPTH CHILD_FLOWS BUDGET_NOT_FOUND LANE_DRAINING LANE_FULL
local effort = require("effort")
local clock = require("clock")
local fence = require("fence")
local flow = require("flow")
local keys = require("keys")
local nodes = require("nodes")
local number = require("number")
local packed = require("packed")
local propagate = require("propagate")
local record = require("record")
local reply = require("reply")
local staged = require("staged")
local starters = require("starters")
local work = require("work")

return function(
  partition, id, fingerprint, policy, retention, deadline, tags, count, edges,
  parent, attempt, epoch, lease_id, are_staged, text)
  local now = clock.now_ms(partition)
  local there = flow.load(partition, id)
  if there and there.fingerprint ~= fingerprint then
    return reply.err("FLOW_ID")
  elseif there and flow.is_seen(there.state) then
    return reply.ok(there.f.lf and id or "")
  elseif there and (there.state == "removing" or are_staged == "0") then
    return reply.err("FLOW_BUSY")
  elseif are_staged == "1" and not (there and staged.is_complete(there, fingerprint, tonumber(count))) then
    return reply.err("FLOW_NOT_STAGED")
  end
  local starter, depth, refused
  if parent ~= "" then
    starter, depth, refused = starters.of(partition, parent, fence.of(attempt, epoch, lease_id), now)
    if refused then
      return refused
    end
  end
  local values = packed.read(text)
  local refusal = nodes.refused(partition, values, {})
  if refusal then
    return refusal
  end
  local letter, budgets = string.match(policy, "^(%l)(.*)$")
  local submitted = number.text(now) .. " " .. letter .. " " .. retention .. " " .. fingerprint
  local fl = flow.new(partition, id, submitted, "open 1 " .. count .. " " .. edges .. " " .. count .. " 0")
  fl.due = there and there.due
  fl.f = { sx = there and there.f.sx, sg = there and there.f.sg, sm = there and there.f.sm }
  record.set(fl, "s", submitted)
  record.set(fl, "dl", deadline ~= "" and deadline or nil)
  record.set(fl, "tg", tags ~= "" and tags or nil)
  record.set(fl, "bu", budgets ~= "" and budgets or nil)
  redis.call("ZADD", keys.flows(partition), 0, id)
  if starter then
    record.set(fl, "pa", parent)
    record.set_number(fl, "dd", depth)
    starters.add(starter, id, now)
  end
  local w = work.on(fl, now)
  if are_staged == "1" then
    staged.seal(fl)
    flow.save(fl, now)
    w = work.on(fl, now)
  else
    nodes.create(partition, id, 0, values, 0, w.looked, now)
  end
  propagate.run(w)
  return reply.ok(effort.left(w.looked))
end
