--- What live workers offer in a lane, a sorted set by until when that counts: what tells work that waits its
--- turn from work that nobody can do. Offers of nothing are not kept.
local arms = require("arms")
local capabilities = require("capabilities")
local keys = require("keys")
local number = require("number")

local offers = {}

--- How long an offer counts at least, from the latest claim or renewal on.
local LIVES_MS = 120000
--- Most offers, and most arms, of a lane that are looked at.
local EXAMINED_MAX = 1024

--- A worker that takes leases of this length offers this.
function offers.made(partition, lane, offered, ttl, now)
  if offered == "" then
    return
  end
  local key = keys.offers(partition, lane)
  local until_when = number.later(now, math.max(ttl, LIVES_MS))
  if redis.call("ZADD", key, number.text(until_when), offered) == 1 then
    redis.call("ZREMRANGEBYSCORE", key, "-inf", number.text(now))
  end
end

--- A lease was renewed: its holder still offers what it offered.
function offers.again(r, now)
  local f = r.f
  local offered = f.of or (f.B and redis.call("HGET", keys.long(r.partition, r.id), "of")) or ""
  offers.made(r.partition, f.ln, offered, tonumber(f.lt), now)
end

--- Whether some live worker offers all of these, and which of them are offered by any.
function offers.cover(partition, lane, requires, now)
  local live = redis.call(
    "ZRANGE", keys.offers(partition, lane), "(" .. number.text(now), "+inf", "BYSCORE", "LIMIT", 0, EXAMINED_MAX)
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
