--- A list of steps that are left to do in a flow: in hand while it is short, and stored when a call stops
--- before it is done. Which lists are stored, the field `bl` of the flow says.
local chunks = require("chunks")
local keys = require("keys")
local number = require("number")
local record = require("record")

local backlog = {}

--- Stored steps that are read at once: about as many as a call does.
local AHEAD = 32
local NONE = {}
local STEP = "^(%l) (%d+) (%d+) (%d+) ?(%S*) ?(.*)$"

--- Whether steps of a kind are stored.
function backlog.is_stored(fl, kind)
  return fl.f.bl ~= nil and string.find(fl.f.bl, kind, 1, true) ~= nil
end

--- The list of a kind: `c`, `d` or `s`. Of stored steps `taken` counts those that are done, and some that follow
--- are read `ahead`; behind all of these come the `steps` in hand.
function backlog.of(fl, kind)
  if fl.f.bl and backlog.is_stored(fl, kind) then
    return { fl = fl, kind = kind, steps = {}, at = 1, stored = true, taken = 0, ahead = NONE, next = 1 }
  end
  return { fl = fl, kind = kind, steps = {}, at = 1, stored = false, taken = 0 }
end

local function key_of(list)
  return keys.backlog(list.fl.partition, list.kind, list.fl.flow)
end

--- A step over the edges of a node: what is done is a letter; it goes on at one edge, up to another, may have a word
--- more to say, and has the bytes of edges that are few.
function backlog.step(letter, index, at, total, rest, few)
  return { letter = letter, index = index, at = at, total = total, rest = rest or "", few = few }
end

local function text(step)
  local start = step.letter .. " " .. step.index .. " " .. number.text(step.at) .. " " .. number.text(step.total)
  return start .. " " .. step.rest .. (step.few and " " .. step.few or "")
end

local function read(stored)
  local letter, index, at, total, rest, few = string.match(stored, STEP)
  return backlog.step(letter, index, at + 0, total + 0, rest, few ~= "" and few or nil)
end

--- Adds a step behind the others.
function backlog.push(list, step)
  list.steps[#list.steps + 1] = step
end

local function front_of_stored(list)
  local first = list.ahead[list.next]
  if not first then
    list.ahead = redis.call("LRANGE", key_of(list), list.taken, list.taken + AHEAD - 1)
    list.next, first = 1, list.ahead[1]
  end
  if type(first) == "string" and list.kind ~= "s" then
    first = read(first)
    list.ahead[list.next] = first
  end
  list.stored = first ~= nil
  return first
end

--- The first step, or nil; of the staged nodes that are to start an index as text.
function backlog.front(list)
  return list.stored and front_of_stored(list) or list.steps[list.at]
end

--- Replaces the first step.
function backlog.replace(list, step)
  if list.stored then
    list.ahead[list.next], list.replaced = step, step
  else
    list.steps[list.at] = step
  end
end

--- Takes the first step off.
function backlog.drop(list)
  if list.stored then
    list.taken, list.next, list.replaced = list.taken + 1, list.next + 1, nil
  else
    list.at = list.at + 1
  end
end

local function store(list)
  if list.taken > 0 then
    redis.call("LTRIM", key_of(list), list.taken, -1)
  end
  if list.replaced then
    redis.call("LSET", key_of(list), 0, text(list.replaced))
  end
  local texts, first = {}, list.at
  for at = first, #list.steps do
    texts[at - first + 1] = text(list.steps[at])
  end
  chunks.push(key_of(list), texts)
end

--- Stores what is left of the lists, which are not used again. Answers whether anything is left, as the flow notes.
function backlog.keep(fl, lists)
  local kinds = ""
  for i = 1, #lists do
    if backlog.front(lists[i]) then
      kinds = kinds .. lists[i].kind
      store(lists[i])
    elseif lists[i].taken > 0 then
      redis.call("DEL", key_of(lists[i]))
    end
  end
  record.set(fl, "bl", kinds ~= "" and kinds or nil)
  return kinds ~= ""
end

return backlog
