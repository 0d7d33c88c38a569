--- A report of usage: what it does to the execution and to its budgets. Nothing here writes, but that shares are to
--- give back what they do not use.
local amounts = require("amounts")
local budget = require("budget")
local dimensions = require("dimensions")
local drawn = require("drawn")
local keys = require("keys")
local number = require("number")
local record = require("record")
local reservation = require("reservation")
local share = require("share")
local share_news = require("share_news")
local share_usage = require("share_usage")
local window = require("window")

local usage = {}

--- Most dimensions that one execution reports.
local DIMENSIONS_MAX = 32

--- What is reported in all with this. When that passes a limit, its code and how far are the second and
--- third value.
function usage.total(r, used)
  local text = r.f.ug or r.f.B and redis.call("HGET", keys.long(r.partition, r.id), "ug") or nil
  local total = {}
  for name, amount in pairs(amounts.read(text)) do
    total[name] = amount
  end
  for name, amount in pairs(used) do
    total[name] = (total[name] or 0) + amount
    if total[name] > amounts.MAX then
      return nil, "USAGE_SUM", number.text(total[name])
    end
  end
  local count = #amounts.names(total)
  if count > DIMENSIONS_MAX then
    return nil, "USAGE_DIMENSIONS", count
  end
  return total
end

--- What is left of the reservation of the attempt.
function usage.left(r, used)
  local after = {}
  for name, amount in pairs(amounts.read(reservation.left(r.f))) do
    after[name] = math.max(amount - (used[name] or 0), 0)
  end
  return after
end

--- Counts a report in one budget. Answers what would pass a hard limit, or nil and the sum that is too
--- large; and whether there may be room once what is reserved comes back.
local function count(b, used, before, after)
  local stands = {}
  for i, limit in ipairs(b.limits) do
    stands[i] = { used = limit.used, reserved = limit.reserved }
  end
  reservation.settle(b, before, after)
  for i, limit in ipairs(b.limits) do
    local reported, was, hard = used[limit.name] or 0, stands[i], limit.hard
    limit.used = limit.used + reported
    local sum = limit.used + limit.reserved
    -- Within its own reservation it needs no room.
    if hard and reported > 0 and (limit.used > hard or (sum > hard and sum > was.used + was.reserved)) then
      return dimensions.passed("hard", b, limit.name, hard, was, reported), nil, limit.used <= hard
    elseif limit.used > amounts.MAX then
      return nil, number.text(limit.used)
    end
  end
  return nil
end

local function soft_breach(b, used)
  for _, limit in ipairs(b.limits) do
    local name, is = limit.name, share.in_all(b, limit)
    if is.soft and (used[name] or 0) > 0 and is.used > is.soft then
      return dimensions.passed("soft", b, name, is.soft, is, used[name])
    end
  end
  return nil
end

--- The budgets of a record with a report counted in them, and as a third value the soft limit that it
--- passes, if any. Nil when it is not counted: with what it would pass, or a third value, the sum that is
--- too large. Whether it is the `last` try decides what is said when there may be room.
function usage.count(r, used, after, now, last)
  local budgets, soft = {}, nil
  local before = amounts.read(reservation.left(r.f))
  for _, id in ipairs(drawn.ids(r.f.bu or "")) do
    local b = budget.load(r.partition, id)
    if b then
      window.roll(b, now)
      local refused, too_large = b.f.fi and share_usage.refused(b, used, before, after, last), nil
      if not refused then
        local may_fit
        refused, too_large, may_fit = count(b, used, before, after)
        local recalled = may_fit and b.f.sh and not last and share_news.recall(b) or ""
        refused = recalled ~= "" and "recall " .. id .. " " .. recalled or refused
      end
      if refused or too_large then
        return nil, refused, too_large
      end
      soft = soft or soft_breach(b, used)
      if b.f.fi and next(used) then
        share.note(b, now)
      end
      if b.f.wl and redis.call("EXISTS", keys.budget_line(r.partition, id)) == 1 then
        record.set_number(b, "la", now)
      end
      budgets[#budgets + 1] = b
    end
  end
  return budgets, nil, soft
end

return usage
