--- What a share keeps of what nobody uses, and for how long.
local amounts = require("amounts")
local number = require("number")
local record = require("record")
local share = require("share")

local share_rest = {}

--- How long it keeps at the most what those were let go on for that nobody claims.
local KEPT_MAX_MS = 8000

--- Keeps what it holds for those that were let go on, longer each time that they were not claimed meanwhile.
function share_rest.keep(b, now)
  local ms = b.f.kp and math.min(b.f.kp * 2, KEPT_MAX_MS) or share.KEPT_MS
  if b.f.kp or not b.f.gb then
    record.set_number(b, "gb", number.later(now, ms))
  end
  record.set_number(b, "kp", ms)
end

--- Counts what was used since the last message, which is about to be told.
function share_rest.count(b)
  local some = {}
  for name, amount in pairs(amounts.read(b.f.us)) do
    some[name] = amount
  end
  for _, limit in ipairs(b.limits) do
    some[limit.name] = math.min((some[limit.name] or 0) + limit.used, amounts.MAX)
  end
  record.set(b, "us", amounts.text(some))
end

--- How much may be used soon: as much as lately, unless others wait for it.
function share_rest.ahead(b)
  local ahead = {}
  if not b.f.co then
    local before, since = amounts.read(b.f.ah), amounts.read(b.f.us)
    for _, limit in ipairs(b.limits) do
      ahead[limit.name] = limit.hard and math.max(before[limit.name] or 0, since[limit.name] or 0) or nil
    end
  end
  return ahead
end

--- Gives back what nobody uses, but for what may be used soon.
function share_rest.give_back(b)
  record.set(b, "ah", b.f.us)
  record.set(b, "us", nil)
  record.set(b, "gb", nil)
  local free, ahead = share.free(b), share_rest.ahead(b)
  for _, limit in ipairs(b.limits) do
    if limit.hard then
      share.hold(limit, limit.used + limit.reserved + math.min(free[limit.name], ahead[limit.name] or 0))
    end
  end
end

return share_rest
