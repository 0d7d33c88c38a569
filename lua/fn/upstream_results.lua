--- How parents of a node ended, in the order of its edges, from one on: up to `most`, or as many as their
--- results are not too much to carry.
---
--- An item is key, id, state, whether there is a result, its content type, and the result.
---
--- @flags no-writes
--- @arg id   id
--- @arg from int
--- @arg most int
--- @ok total int  parents of the node
--- @ok items list
--- @err NOT_FOUND
local execution = require("execution")
local keys = require("keys")
local links = require("links")
local member = require("member")
local record = require("record")
local reply = require("reply")

--- Bytes of results that end a page.
local BYTES_MAX = 4194304

local function result_of(r)
  if r.f.rk == nil then
    return "0", "", ""
  end
  return "1", r.f.rk, r.f.re or redis.call("HGET", keys.long(r.partition, r.id), "re") or ""
end

return function(partition, id, from, most)
  local r = execution.open(partition, id)
  if not r then
    return reply.err("NOT_FOUND")
  elseif not r.f.nd then
    return reply.ok(0, {})
  end
  local total, items, bytes = links.count(r, "p"), {}, 0
  for _, link in ipairs(links.slice(r, "p", tonumber(from), math.min(total, from + most))) do
    local parent = record.load(partition, member.id(member.node(r).flow, link.index))
    if not parent then
      return reply.err("NOT_FOUND")
    end
    local given, content_type, result = result_of(parent)
    if bytes > 0 and bytes + #result > BYTES_MAX then
      break
    end
    bytes = bytes + #result
    items[#items + 1] = { member.node(parent).key, parent.id, parent.f.st, given, content_type, result }
  end
  return reply.ok(total, items)
end
