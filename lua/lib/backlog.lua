--- A list of steps that are left to do in a flow: in hand while it is short, and stored when a call stops
--- before it is done. Which lists are stored, the field `bl` of the flow says.
local chunks = require("chunks")
local keys = require("keys")
local number = require("number")
local record = require("record")

local backlog = {}

local STEP = "^(%l) (%d+) (%d+) (%d+) ?(.*)$"

--- Whether steps of a kind are stored.
function backlog.is_stored(fl, kind)
  return fl.f.bl ~= nil and string.find(fl.f.bl, kind, 1, true) ~= nil
end

--- The list of a kind: `c`, `d` or `s`.
function backlog.of(fl, kind)
  return { fl = fl, kind = kind, stored = backlog.is_stored(fl, kind), steps = {}, at = 1 }
end

local function key_of(list)
  return keys.backlog(list.fl.partition, list.kind, list.fl.flow)
end

--- A step over the edges of a node: what is done is a letter; it goes on at one edge, up to another, and may have
--- something more to say.
function backlog.step(letter, index, at, total, rest)
  return { letter = letter, index = index, at = at, total = total, rest = rest or "" }
end

local function text(step)
  local start = step.letter .. " " .. step.index .. " " .. number.text(step.at) .. " " .. number.text(step.total)
  return step.rest ~= "" and start .. " " .. step.rest or start
end

local function read(stored)
  local letter, index, at, total, rest = string.match(stored, STEP)
  return backlog.step(letter, index, at + 0, total + 0, rest)
end

--- Adds a step behind the others.
function backlog.push(list, step)
  if list.stored then
    redis.call("RPUSH", key_of(list), text(step))
  else
    list.steps[#list.steps + 1] = step
  end
end

--- The first step, or nil; of the staged nodes that are to start an index as text.
function backlog.front(list)
  if list.stored then
    local first = redis.call("LINDEX", key_of(list), 0)
    if first then
      return list.kind == "s" and first or read(first)
    end
    list.stored = false
  end
  return list.steps[list.at]
end

--- Replaces the first step.
function backlog.replace(list, step)
  if list.stored then
    redis.call("LSET", key_of(list), 0, text(step))
  else
    list.steps[list.at] = step
  end
end

--- Takes the first step off.
function backlog.drop(list)
  if list.stored then
    redis.call("LPOP", key_of(list))
  else
    list.at = list.at + 1
  end
end

local function store(list)
  local texts = {}
  for at = list.at, #list.steps do
    texts[#texts + 1] = text(list.steps[at])
  end
  chunks.push(key_of(list), texts)
  list.stored = true
end

--- Stores what is left of the lists, and notes in the flow which there are. Answers whether anything
--- is left.
function backlog.keep(fl, lists)
  local kinds = ""
  for i = 1, #lists do
    local list = lists[i]
    if backlog.front(list) then
      if not list.stored then
        store(list)
      end
      kinds = kinds .. list.kind
    end
  end
  record.set(fl, "bl", kinds ~= "" and kinds or nil)
  return kinds ~= ""
end

return backlog
