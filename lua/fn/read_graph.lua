--- Some nodes of a flow from an index on, with the edges that lead out of them.
---
--- An item is the fields `nd` and `dp`, lane, kind, state, attempt or empty, and the edges, three bytes
--- each: two of the child's index, and a letter of condition.
---
--- @flags no-writes
--- @arg flow id
--- @arg from int  index of the first node
--- @arg most int
--- @ok revision int
--- @ok count    int  of all nodes
--- @ok items    list
--- @err FLOW_NOT_FOUND
local flow = require("flow")
local keys = require("keys")
local member = require("member")
local record = require("record")
local reply = require("reply")

return function(partition, id, from, most)
  local fl = flow.open(partition, id)
  if not fl then
    return reply.err("FLOW_NOT_FOUND")
  end
  local items = {}
  for index = tonumber(from), math.min(fl.nodes, from + most) - 1 do
    local execution = member.id(id, index)
    local f = record.summary(partition, execution)
    local edges = redis.call("HMGET", keys.execution(partition, execution), "ch", "ck")
    local children = edges[1] or edges[2] and redis.call("GET", keys.links(partition, "c", execution)) or ""
    items[#items + 1] = { f.nd, f.dp, f.ln, f.kd, f.st, f.ai or "", children }
  end
  return reply.ok(fl.revision, fl.nodes, items)
end
