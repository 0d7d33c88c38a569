--- Those that wait in a share, as its home has to know them.
local budget_line = require("budget_line")
local keys = require("keys")
local placement = require("placement")
local reservation = require("reservation")

local share_line = {}

--- How many wait, whether some are set aside, and of those in line the place of the first, as text, what it needs, and
--- what the first of them need together.
function share_line.waiting(b)
  local line, aside = keys.budget_line(b.partition, b.budget), keys.budget_aside(b.partition, b.budget)
  local set_aside = redis.call("ZCARD", aside)
  local waiting = {
    count = redis.call("ZCARD", line) + set_aside, aside = set_aside > 0, score = nil, least = {}, all = {},
  }
  local ids = redis.call("ZRANGE", line, 0, budget_line.MOVED_MAX - 1)
  for at, r in ipairs(budget_line.waiting(b, line, ids)) do
    local takes = budget_line.takes(b, reservation.wanted(r))
    for _, limit in ipairs(b.limits) do
      local name = limit.name
      waiting.all[name] = (waiting.all[name] or 0) + (limit.hard and takes[name] or 0)
    end
    if at == 1 then
      waiting.least, waiting.score = takes, string.format("%d", placement.score(r))
    end
  end
  return waiting
end

return share_line
