--- A look at a budget that is due: some of those that wait for room in it may go on.
local admission = require("admission")
local budget = require("budget")
local keys = require("keys")
local number = require("number")
local places = require("places")
local reasons = require("reasons")
local record = require("record")
local spending = require("spending")

local budget_due = {}

--- Most that one look lets go on, and how much later it looks again.
local ADMITTED_MAX = 32
local LOOK_AGAIN_MS = 1000

local function takes(b, r)
  local wanted = admission.reservable(admission.wanted(r), { b })
  if reasons.has_others(r) or (b.action == "f" and admission.used_up(b, wanted)) then
    return nil
  end
  for name, limit in pairs(b.limits) do
    wanted[name] = limit.hard and math.max(wanted[name] or 0, 1) or wanted[name]
  end
  return wanted
end

--- Those of a line that go on, in order, while what they take fits together; whether others are left, and
--- whether these were too many.
local function admitted(b, line)
  local going, full = {}, budget.in_hand(b.partition, b.budget, b.f)
  for name, limit in pairs(full.limits) do
    limit.used = b.limits[name].used
  end
  for _, id in ipairs(redis.call("ZRANGE", line, 0, ADMITTED_MAX)) do
    local r = places.open(b.partition, id)
    if not r or r.f.bo ~= b.budget then
      redis.call("ZREM", line, id)
    else
      local taken = takes(b, r)
      if #going == ADMITTED_MAX or (taken and not admission.fits(full, taken)) then
        return going, true, #going == ADMITTED_MAX
      end
      spending.settle(full, {}, taken or {})
      going[#going + 1] = r
    end
  end
  return going, false, false
end

--- Looks at a budget, and lets go on what it has room for. Answers what was done, or nil when
--- nothing is due.
function budget_due.handle(b, now)
  if not b.due or tonumber(b.due) > now then
    return nil
  end
  budget.roll(b, now)
  local going, others, too_many = admitted(b, keys.budget_line(b.partition, b.budget))
  local again
  if too_many then
    again = number.text(now)
  elseif others then
    again = #going > 0 and number.text(number.later(now, LOOK_AGAIN_MS)) or nil
    again = number.earlier(again, budget.window_end(b))
  end
  record.set(b, "la", again)
  budget.save(b, now)
  for _, r in ipairs(going) do
    reasons.remove(r, reasons.BUDGET)
    record.set(r, "bo", nil)
    if r.f.st == "blocked" then
      r.f.st = reasons.state(r)
    end
    places.commit(r, now)
  end
  return "budgets"
end

return budget_due
