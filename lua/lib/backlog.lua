--- A list of steps that are left to do in a flow: in hand while it is short, and stored when a call stops
--- before it is done. Which lists are stored, the field `bl` of the flow says.
local chunks = require("chunks")
local keys = require("keys")
local record = require("record")

local backlog = {}

--- Whether steps of a kind are stored.
function backlog.is_stored(fl, kind)
  return fl.f.bl ~= nil and string.find(fl.f.bl, kind, 1, true) ~= nil
end

--- The list of a kind: `c`, `d` or `s`.
function backlog.of(fl, kind)
  local stored = backlog.is_stored(fl, kind)
  return { key = keys.backlog(fl.partition, kind, fl.flow), kind = kind, stored = stored, steps = {}, at = 1 }
end

--- Adds a step behind the others.
function backlog.push(list, step)
  if list.stored then
    redis.call("RPUSH", list.key, step)
  else
    list.steps[#list.steps + 1] = step
  end
end

--- The first step, or nil.
function backlog.front(list)
  if list.stored then
    local step = redis.call("LINDEX", list.key, 0)
    if step then
      return step
    end
    list.stored = false
  end
  return list.steps[list.at]
end

--- Replaces the first step.
function backlog.replace(list, step)
  if list.stored then
    redis.call("LSET", list.key, 0, step)
  else
    list.steps[list.at] = step
  end
end

--- Takes the first step off.
function backlog.drop(list)
  if list.stored then
    redis.call("LPOP", list.key)
  else
    list.at = list.at + 1
  end
end

--- Stores what is left of the lists, and notes in the flow which there are. Answers whether anything
--- is left.
function backlog.keep(fl, lists)
  local kinds = ""
  for _, list in ipairs(lists) do
    if backlog.front(list) then
      if not list.stored then
        chunks.push(list.key, list.steps, list.at)
        list.stored = true
      end
      kinds = kinds .. list.kind
    end
  end
  record.set(fl, "bl", kinds ~= "" and kinds or nil)
  return kinds ~= ""
end

return backlog
