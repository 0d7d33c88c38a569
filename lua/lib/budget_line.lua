--- Those that wait for room in a budget: in line, as a share does for its first, or set aside because there can be none.
local admission = require("admission")
local budget = require("budget")
local flow = require("flow")
local granting = require("granting")
local keys = require("keys")
local number = require("number")
local places = require("places")
local reasons = require("reasons")
local record = require("record")
local reservation = require("reservation")
local shares = require("shares")

local budget_line = {}

--- Most that one look moves.
budget_line.MOVED_MAX = 32

--- Whether one in line goes on without taking room: it does not start then.
local function has_turn(r, b, wanted, now)
  if reasons.has_others(r) or (b.is.action == "f" and admission.used_up(b, wanted, now)) then
    return true
  end
  return r.f.nd ~= nil and not r.f.ao and flow.cancel_of(r) ~= nil
end

--- What one that wants this takes: of each limited dimension, one at least.
function budget_line.takes(b, wanted)
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

--- What stands under a key of those that wait, as records and shares; an entry that belongs to no such record goes.
function budget_line.waiting(b, key, ids)
  local found = {}
  for _, id in ipairs(ids) do
    local one = shares.in_line(b, id)
    local r = not one and places.open(b.partition, id)
    if one then
      found[#found + 1] = one
    elseif r and r.f.bo == b.budget then
      found[#found + 1] = r
    else
      redis.call("ZREM", key, id)
    end
  end
  return found
end

--- Moves one in line. Answers `on` when it goes on, `aside` when it is set aside, `told` for a share, and nil when it waits.
local function move(b, full, r, now)
  if r.in_line then
    return granting.offer(b, full, r) and "told" or nil
  end
  local wanted = reservation.wanted(r)
  if not has_turn(r, b, wanted, now) then
    if admission.used_up(b, wanted, now) then
      record.set_number(r, "ba", budget.generation(b))
      return "aside"
    end
    local takes = budget_line.takes(b, wanted)
    if not admission.fits(full, takes) then
      return nil
    end
    reservation.settle(full, {}, takes)
  end
  go_on(r)
  return "on"
end

--- Moves those in line as far as there is room, at most 32. Answers whether some went on, whether some were set aside,
--- `full` or `waits` when others are left, and the budget with what those have taken that went on.
function budget_line.move(b, moved, now)
  local full, admitted, aside = budget.copy(b), false, false
  local key = keys.budget_line(b.partition, b.budget)
  local ids = redis.call("ZRANGE", key, 0, budget_line.MOVED_MAX)
  for at, one in ipairs(budget_line.waiting(b, key, ids)) do
    if at > budget_line.MOVED_MAX then
      return admitted, aside, "full", full
    end
    local went = move(b, full, one, now)
    if not went then
      return admitted, aside, "waits", full
    end
    admitted, aside = admitted or went == "on", aside or went == "aside"
    moved[#moved + 1] = went ~= "told" and one or nil
  end
  return admitted, aside, nil, full
end

--- Puts those back in line that were set aside before this generation. Answers whether there were any.
function budget_line.move_back(b, moved)
  local key = keys.budget_aside(b.partition, b.budget)
  local before = "(" .. number.text(budget.generation(b))
  local most = budget_line.MOVED_MAX
  local ids = redis.call("ZRANGE", key, "-inf", before, "BYSCORE", "LIMIT", 0, most + 1)
  local found = budget_line.waiting(b, key, ids)
  for _, r in ipairs(found) do
    if #moved == most then
      break
    end
    record.set(r, "ba", nil)
    moved[#moved + 1] = r
  end
  return #found > 0
end

return budget_line
