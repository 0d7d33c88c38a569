--- A budget in hand. Its dimensions are in `limits` by name, each a table with `soft` and `hard`, which may
--- be nil, `used` and `reserved`, and their names in order in `names`.
---
--- @field s  made: when, what it does without room (`r` report, `b` block, `f` fail), length of its windows in ms (0 for none), one of their starts, fingerprint
--- @field w  start of the window that is counted
--- @field la when it has to be looked at
--- @field ge how often limits were changed and usage started from nothing
--- @field tg tags, one `<key> <value>` a line
--- @field on how many requests changed it
--- @field o0 to `o7`: the latest of them
---
--- Each dimension is a field `d:` and its name: soft and hard limit, each `-` when there is none, what is
--- used and what is reserved.
local keys = require("keys")
local looks = require("looks")
local memo = require("memo")
local number = require("number")
local record = require("record")

local budget = {}

local MADE = "^(%d+) (%l) (%d+) (%d+) (%x+)$"
local DIMENSION = "^(%S+ %S+) (%d+) (%d+)$"

local made = memo.of(function(text)
  local at, action, every, anchor, fingerprint = string.match(text, MADE)
  return { at = at, action = action, every = tonumber(every), anchor = tonumber(anchor), fingerprint = fingerprint }
end)

local bounds = memo.of(function(text)
  local soft, hard = string.match(text, "^(%S+) (%S+)$")
  return { soft = tonumber(soft), hard = tonumber(hard) }
end)

--- What stands in the due-index for a budget: no id of an execution or name of a flow starts like this.
function budget.due_name(id)
  return "g" .. id
end

--- A budget from its stored fields by name.
function budget.in_hand(partition, id, f)
  local its = made(f.s)
  local b = {
    partition = partition, budget = id, id = budget.due_name(id), f = f, at = its.at, action = its.action,
    due = f.la, every = its.every, anchor = its.anchor, fingerprint = its.fingerprint, limits = {}, names = {},
    generation = (f.ge or 0) + 0,
  }
  for field, value in pairs(f) do
    local name = string.match(field, "^d:(.*)$")
    if name then
      local text, used, reserved = string.match(value, DIMENSION)
      local ends = bounds(text)
      b.names[#b.names + 1] = name
      b.limits[name] = {
        bounds = text, soft = ends.soft, hard = ends.hard, used = used + 0, reserved = reserved + 0,
      }
    end
  end
  table.sort(b.names)
  return b
end

--- The budget, or nil when there is none.
function budget.load(partition, id)
  local flat, f = redis.call("HGETALL", keys.budget(partition, id)), {}
  if #flat == 0 then
    return nil
  end
  for i = 1, #flat, 2 do
    f[flat[i]] = flat[i + 1]
  end
  return budget.in_hand(partition, id, f)
end

--- Its stored fields as a list of names and values, for a reply.
function budget.flat(b)
  local flat = {}
  for field, value in pairs(b.f) do
    flat[#flat + 1], flat[#flat + 2] = field, value
  end
  return flat
end

--- Sets the bounds of a dimension, each as text and `-` for none.
function budget.bound(limit, soft, hard)
  limit.bounds = soft .. " " .. hard
  local ends = bounds(limit.bounds)
  limit.soft, limit.hard = ends.soft, ends.hard
end

--- Writes what was changed, and brings its timer along.
function budget.save(b, now)
  for name, limit in pairs(b.limits) do
    record.set(b, "d:" .. name, limit.bounds .. " " .. number.text(limit.used) .. " " .. number.text(limit.reserved))
  end
  looks.save(b, keys.budget(b.partition, b.budget), now)
end

return budget
