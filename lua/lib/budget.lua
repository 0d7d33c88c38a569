--- A budget in hand. Its dimensions are in `limits` by name, each a table with `soft` and `hard`, which may
--- be nil, `used` and `reserved`, and their names in order in `names`.
---
--- @field s  made: when, what it does without room (`r` report, `b` block, `f` fail), length of its windows in ms (0 for none), one of their starts, fingerprint
--- @field w  start of the window that is counted
--- @field la when it has to be looked at
--- @field ge how often limits were changed and usage started from nothing
--- @field wl set while somebody may wait in its line
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

local budget = {}

--- How often a line that does not move is looked at.
budget.LINE_LOOK_MS = 60000

--- Where the name of a dimension begins in that of its field. All other names are shorter.
local NAME_AT = 3
local OTHERS_BYTES = 2

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

--- A budget from its stored fields, a list of names and values.
function budget.in_hand(partition, id, flat)
  local f, limits, names = {}, {}, {}
  for i = 1, #flat, 2 do
    local field, value = flat[i], flat[i + 1]
    f[field] = value
    if #field > OTHERS_BYTES then
      local text, used, reserved = string.match(value, DIMENSION)
      local ends, name = bounds(text), string.sub(field, NAME_AT)
      names[#names + 1] = name
      limits[name] = {
        field = field, bounds = text, soft = ends.soft, hard = ends.hard, used = used + 0, reserved = reserved + 0,
      }
    end
  end
  if names[2] then
    table.sort(names)
  end
  local its = made(f.s)
  return {
    partition = partition, budget = id, id = budget.due_name(id), f = f, at = its.at, action = its.action,
    due = f.la, every = its.every, anchor = its.anchor, fingerprint = its.fingerprint, limits = limits, names = names,
    generation = (f.ge or 0) + 0,
  }
end

--- The budget, or nil when there is none.
function budget.load(partition, id)
  local flat = redis.call("HGETALL", keys.budget(partition, id))
  return flat[1] and budget.in_hand(partition, id, flat) or nil
end

--- A second one in hand, to see what room is left when more and more is taken. It is not saved.
function budget.copy(b)
  local limits = {}
  for name, limit in pairs(b.limits) do
    limits[name] = { hard = limit.hard, used = limit.used, reserved = limit.reserved }
  end
  return { budget = b.budget, action = b.action, limits = limits, names = b.names }
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
  local f, set, n = b.f, { nil, nil, nil, nil }, 0
  for _, limit in pairs(b.limits) do
    local field = limit.field
    local text = limit.bounds .. " " .. number.text(limit.used) .. " " .. number.text(limit.reserved)
    if f[field] ~= text then
      f[field], set[n + 1], set[n + 2], n = text, field, text, n + 2
    end
  end
  looks.save(b, keys.budget(b.partition, b.budget), now, n > 0 and set or nil, n)
end

return budget
