--- What live workers offer in a lane, a sorted set by until when that counts: what tells work that waits its
--- turn from work that nobody can do. Offers of nothing are not kept.
local arms = require("arms")
local capabilities = require("capabilities")
local clock = require("clock")
local keys = require("keys")
local number = require("number")

local offers = {}

--- How long an offer counts at least, from the latest claim or renewal on.
local LIVES_MS = 120000
--- What is made again within this time is not written again.
local STEP_MS = 10000
--- The longest lease; nothing counts for longer.
local TTL_MAX_MS = 3600000
--- Most offers, and most arms, of a lane that are looked at.
local EXAMINED_MAX = 1024

--- A worker that takes leases of this length offers this.
function offers.made(partition, lane, offered, ttl, now)
  if offered == "" then
    return
  end
  local key = keys.offers(partition, lane)
  local ends_at = number.later(now, math.max(ttl, LIVES_MS))
  local score = redis.call("ZSCORE", key, offered)
  local last = score and tonumber(score)
  -- What lasts longer stays, but for what a clock that stepped back has left behind.
  if last and ends_at - last < STEP_MS and last - now <= TTL_MAX_MS then
    return
  end
  redis.call("ZADD", key, ends_at, offered)
  if not last then
    redis.call("ZREMRANGEBYSCORE", key, "-inf", now)
  end
  clock.end_at(partition, key, number.later(now, TTL_MAX_MS))
end

--- A lease was renewed: its holder still offers what it offered.
function offers.again(r, now)
  local f = r.f
  local offered = f.of or (f.B and redis.call("HGET", keys.long(r.partition, r.id), "of"))
  if offered then
    offers.made(r.partition, f.ln, offered, tonumber(f.lt), now)
  end
end

--- Whether some live worker offers all of these, and which of them are offered by any.
function offers.cover(partition, lane, requires, now)
  local key, from = keys.offers(partition, lane), "(" .. number.text(now)
  local live = redis.call("ZRANGE", key, from, "+inf", "BYSCORE", "LIMIT", 0, EXAMINED_MAX)
  arms.offered(partition, lane, EXAMINED_MAX, live)
  local any = {}
  for _, offered in ipairs(live) do
    local offer = capabilities.offer(offered)
    if capabilities.covers(offer, requires) then
      return true, {}
    end
    for token in pairs(offer) do
      any[token] = true
    end
  end
  local found = {}
  for token in string.gmatch(requires, "[^,]+") do
    if any[token] then
      found[#found + 1] = token
    end
  end
  return false, found
end

return offers
