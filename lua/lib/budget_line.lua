--- Those that wait for room in a budget: in line, or set aside because there can be none for them.
local admission = require("admission")
local budget = require("budget")
local flow = require("flow")
local keys = require("keys")
local number = require("number")
local places = require("places")
local reasons = require("reasons")
local record = require("record")
local reservation = require("reservation")

local budget_line = {}

--- Most that one look moves.
local MOVED_MAX = 32

--- Whether one in line goes on without taking room: it does not start then.
local function has_turn(r, b, wanted)
  if reasons.has_others(r) or (b.is.action == "f" and admission.used_up(b, wanted)) then
    return true
  end
  return r.f.nd ~= nil and not r.f.ao and flow.cancel_of(r) ~= nil
end

local function one_at_least(b, wanted)
  local takes = {}
  for _, limit in ipairs(b.limits) do
    local name = limit.name
    takes[name] = limit.hard and math.max(wanted[name] or 0, 1) or wanted[name]
  end
  return takes
end

local function go_on(r)
  reasons.remove(r, reasons.BUDGET)
  record.set(r, "bo", nil)
  if r.f.st == "blocked" then
    r.f.st = reasons.state(r)
  end
end

--- What stands under a key of those that wait, as records; an entry that belongs to no such record goes.
local function waiting(b, key, ids)
  local found = {}
  for _, id in ipairs(ids) do
    local r = places.open(b.partition, id)
    if r and r.f.bo == b.budget then
      found[#found + 1] = r
    else
      redis.call("ZREM", key, id)
    end
  end
  return found
end

--- Moves those in line as far as there is room. Answers whether some went on, whether some were set aside, and
--- `full` or `waits` when others are left.
function budget_line.move(b, moved)
  local full, admitted, aside = budget.copy(b), false, false
  local key = keys.budget_line(b.partition, b.budget)
  for _, r in ipairs(waiting(b, key, redis.call("ZRANGE", key, 0, MOVED_MAX))) do
    local wanted = reservation.wanted(r)
    if #moved == MOVED_MAX then
      return admitted, aside, "full"
    elseif has_turn(r, b, wanted) then
      go_on(r)
      admitted = true
    elseif admission.used_up(b, wanted) then
      record.set_number(r, "ba", budget.generation(b))
      aside = true
    else
      local takes = one_at_least(b, wanted)
      if not admission.fits(full, takes) then
        return admitted, aside, "waits"
      end
      reservation.settle(full, {}, takes)
      go_on(r)
      admitted = true
    end
    moved[#moved + 1] = r
  end
  return admitted, aside, nil
end

--- Puts those back in line that were set aside before this generation. Answers whether there were any.
function budget_line.move_back(b, moved)
  local key = keys.budget_aside(b.partition, b.budget)
  local before = "(" .. number.text(budget.generation(b))
  local found = waiting(b, key, redis.call("ZRANGE", key, "-inf", before, "BYSCORE", "LIMIT", 0, MOVED_MAX + 1))
  for _, r in ipairs(found) do
    if #moved == MOVED_MAX then
      break
    end
    record.set(r, "ba", nil)
    moved[#moved + 1] = r
  end
  return #found > 0
end

return budget_line
