--- What a budget grants to its shares. A grant counts as reserved from before the share hears of it until the share has
--- told what became of it, so that what is used and reserved never pass a hard limit together.
local admission = require("admission")
local amounts = require("amounts")
local budget = require("budget")
local keys = require("keys")
local number = require("number")
local share_news = require("share_news")
local shares = require("shares")

local granting = {}

--- The sum of amounts as text.
function granting.sum(one, other)
  local total = {}
  for _, found in ipairs({ amounts.read(one), amounts.read(other) }) do
    for name, amount in pairs(found) do
      total[name] = (total[name] or 0) + amount
    end
  end
  return amounts.text(total) or ""
end

--- Replaces what is reserved for a share. Answers whether there is more room by it.
function granting.reserve(b, before, after)
  local was, is, freed = amounts.read(before), amounts.read(after), false
  for _, limit in ipairs(b.limits) do
    local had, has = was[limit.name] or 0, is[limit.name] or 0
    limit.reserved = math.max(limit.reserved - had, 0) + has
    freed = freed or has < had
  end
  return freed
end

--- What those that wait in a share are granted, as far as there is room, or nil when there is none for the first. While
--- others wait it is for the first alone, so that nobody overtakes them.
function granting.room_for(b, one, others_wait)
  local least, free = amounts.read(one.least), amounts.read(one.free)
  local all = others_wait and least or amounts.read(one.all)
  local grants = {}
  for _, limit in ipairs(b.limits) do
    if limit.hard then
      local name, room = limit.name, math.max(limit.hard - limit.used - limit.reserved, 0)
      local has = free[name] or 0
      if room < (least[name] or 0) - has then
        return nil
      end
      grants[name] = math.min(math.max((all[name] or 0) - has, 0), room)
    end
  end
  return amounts.text(grants) or ""
end

--- What is needed at once, if there is room for it.
function granting.at_once(b, urgent)
  local wanted = amounts.read(urgent)
  for _, limit in ipairs(b.limits) do
    local need = wanted[limit.name] or 0
    if limit.hard and need > 0 and limit.used + limit.reserved + need > limit.hard then
      return ""
    end
  end
  return urgent
end

--- Whether more is used and reserved than there is since the limit was lowered.
function granting.is_over(b)
  for _, limit in ipairs(b.limits) do
    if limit.hard and limit.used + limit.reserved > limit.hard then
      return true
    end
  end
  return false
end

--- Whether some were set aside in an earlier generation, and will be back in line.
function granting.is_renewed(b)
  local before = "(" .. number.text(budget.generation(b))
  return redis.call("ZCOUNT", keys.budget_aside(b.partition, b.budget), "-inf", before) > 0
end

--- Takes a share out of the line.
function granting.leave_line(b, one)
  if one.in_line ~= "" then
    redis.call("ZREM", keys.budget_line(b.partition, b.budget), shares.entry(one))
    one.in_line = ""
  end
end

--- Lets a share in line have what there is room for, or hear that there can be none. Answers false when it has to wait.
--- `full` is the budget with what those have that went on before, and is taken from too.
function granting.offer(b, full, one)
  local grants = ""
  if not admission.used_up(b, amounts.read(one.least)) then
    grants = granting.room_for(full, one, shares.others_wait(b, one))
    if not grants then
      return false
    end
  end
  local held = granting.sum(one.held, grants)
  granting.reserve(b, one.held, held)
  granting.reserve(full, "", grants)
  one.held, one.news = held, granting.sum(one.news, grants)
  granting.leave_line(b, one)
  shares.save(b, one)
  share_news.tell(b, one.name)
  return true
end

return granting
