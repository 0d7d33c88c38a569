--- Sets and removes tags of an execution.
---
--- @flags allow-oom
--- @arg id      id
--- @arg request bytes  16 bytes of request id
--- @arg changes bytes  three values of each, packed: key, `1` to set it and `0` to remove it, and the value
--- @ok tags text  as they are then, one `<key> <value>` a line
--- @err NOT_FOUND TAGS
local clock = require("clock")
local execution = require("execution")
local operator = require("operator")
local packed = require("packed")
local placement = require("placement")
local queue = require("queue")
local record = require("record")
local reply = require("reply")
local tags = require("tags")
local timers = require("timers")

local TAGS_MAX = 16
local OWN = { tagged = true }

--- The lines as they are after the changes, in the order of their keys, and how many there are.
local function changed(r, changes)
  local values, names, lines = {}, {}, {}
  tags.each(r, function(tag)
    local key, value = string.match(tag, "^(%S+) (.*)$")
    values[key] = value
  end)
  local all = packed.read(changes)
  for at = 1, #all, 3 do
    values[all[at]] = all[at + 1] == "1" and all[at + 2] or nil
  end
  for key in pairs(values) do
    names[#names + 1] = key
  end
  table.sort(names)
  for _, key in ipairs(names) do
    lines[#lines + 1] = key .. " " .. values[key]
  end
  return table.concat(lines, "\n"), #lines
end

return function(partition, id, request, changes)
  local now = clock.now_ms(partition)
  local r = execution.open(partition, id)
  if not r then
    return reply.err("NOT_FOUND")
  elseif operator.done_by(r, request, OWN) then
    return reply.ok(r.f.tg or "")
  end
  local text, count = changed(r, changes)
  if count > TAGS_MAX then
    return reply.err("TAGS", count)
  end
  if r.queue == "c" then
    queue.remove(r, "c")
  end
  timers.remove(r)
  record.set(r, "tg", text ~= "" and text or nil)
  if r.queue == "c" then
    queue.insert(r, "c", placement.score(r))
  end
  if r.due then
    timers.set(r, r.due, now)
  end
  operator.remember(r, request, "tagged")
  execution.commit(r, now)
  return reply.ok(text)
end
