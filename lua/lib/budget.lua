--- A budget in hand. How it was made is `is`: `at`, `action`, `every`, `anchor` and `fingerprint`. Its dimensions are
--- the list `limits` in the order of their names: see `dimensions`.
---
--- @field s  made: when, what it does without room (`r` report, `b` block, `f` fail), length of its windows in ms (0 for none), one of their starts, fingerprint
--- @field w  start of the window that is counted
--- @field la when it has to be looked at
--- @field ge how often limits were changed and usage started from nothing
--- @field wl set while somebody may wait in its line
--- @field sh set when it has shares in other partitions
--- @field sa set while some may be set aside in one of them
--- @field nw the shares that have to be told something
--- @field tg tags, one `<key> <value>` a line
--- @field on how many requests changed it
--- @field o0 to `o7`: the latest of them
---
--- A share of a budget that lies elsewhere, see `share`, is kept like one, its hard limits being what it was granted, and has
---
--- @field fi how the home stood when it was last heard of: see `open_share`
--- @field fa when that was
--- @field we when the window ended that the home was in
--- @field su what was settled in all, see `amounts`
--- @field gb when it gives back what nobody uses
--- @field ut when it tells what is used, if that is before
--- @field us what was used since it did that last, as far as it is told, and `ah` what was between that and the time before
--- @field kp how long it was to keep what those may take that were let go on, ms
--- @field sn the number of its latest message
--- @field so that message until it is answered
--- @field sw what that said of those that wait
--- @field co set while others wait that have what comes back
local dimensions = require("dimensions")
local keys = require("keys")
local looks = require("looks")
local memo = require("memo")

local budget = {}

--- How often a line that does not move is looked at.
budget.LINE_LOOK_MS = 60000

--- Fields other than those of dimensions have names no longer than this.
local OTHERS_BYTES = 2

local MADE = "^(%d+) (%l) (%d+) (%d+) (%x+)$"
local made = memo.of(function(text)
  local at, action, every, anchor, fingerprint = string.match(text, MADE)
  return { at = at, action = action, every = tonumber(every), anchor = tonumber(anchor), fingerprint = fingerprint }
end)

--- What stands in the due-index for a budget: no id of an execution or name of a flow starts like this.
local function due_name(b)
  return "g" .. b.budget
end

--- A budget from its stored fields, a list of names and values.
function budget.in_hand(partition, id, flat)
  local f, limits, n = { s = nil, w = nil }, { nil }, 0
  for i = 1, #flat, 2 do
    local field, value = flat[i], flat[i + 1]
    f[field] = value
    if #field > OTHERS_BYTES then
      n = n + 1
      limits[n] = dimensions.read(field, value)
    end
  end
  if n > 1 then
    table.sort(limits, dimensions.in_order)
  end
  local b = {
    partition = partition, budget = id, id = nil, f = f, due = f.la, is = made(f.s), limits = limits, changed = nil,
  }
  if f.la then
    b.id = due_name(b)
  end
  return b
end

--- In which generation it is.
function budget.generation(b)
  return (b.f.ge or 0) + 0
end

--- The budget, or nil when there is none.
function budget.load(partition, id)
  local flat = redis.call("HGETALL", keys.budget(partition, id))
  return flat[1] and budget.in_hand(partition, id, flat) or nil
end

--- A second one in hand, to see what room is left when more and more is taken. It is not saved.
function budget.copy(b)
  local limits = {}
  for i, limit in ipairs(b.limits) do
    limits[i] = { name = limit.name, hard = limit.hard, used = limit.used, reserved = limit.reserved }
  end
  return { budget = b.budget, is = b.is, limits = limits }
end

--- Its stored fields as a list of names and values, for a reply.
function budget.flat(b)
  local flat = {}
  for field, value in pairs(b.f) do
    flat[#flat + 1], flat[#flat + 2] = field, value
  end
  return flat
end

--- Writes what was changed, and brings its timer along.
function budget.save(b, now)
  local f, set, n = b.f, { nil, nil, nil, nil }, 0
  for i = 1, #b.limits do
    local limit = b.limits[i]
    local field = limit.field
    local text = dimensions.text(limit)
    if f[field] ~= text then
      f[field], set[n + 1], set[n + 2], n = text, field, text, n + 2
    end
  end
  looks.save(b, keys.budget(b.partition, b.budget), due_name, now, set, n)
end

return budget
