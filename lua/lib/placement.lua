--- Where a record stands in the indexes. All of it follows from the record alone.
local number = require("number")
local policy = require("policy")
local reasons = require("reasons")

local placement = {}

--- Ranks are this far apart: 256 of them and every time until the year 3084 are exact in a double.
local RANK = 2 ^ 45
local PRIORITY_MAX = 100

--- The queue that a record stands in: `f`, `c` or nil.
function placement.queue(f)
  if f.st == "ready" and not f.gi then
    return f.en or "f"
  end
  return nil
end

--- The score in its queue. It orders by priority, highest first, then by since when the
--- execution is ready; the server orders equal scores by id.
function placement.score(r)
  local f = r.f
  local since = f.ra + 0
  return (PRIORITY_MAX - f.pr) * RANK + (since < RANK and since or RANK - 1)
end

--- The rank and the time of a score: the lower the rank, the higher the priority.
function placement.read(score)
  local rank = math.floor(score / RANK)
  return rank, score - rank * RANK
end

--- The least score of a rank, as text.
function placement.rank_start(rank)
  return number.text(rank * RANK)
end

--- When it expires as things are, as text or nil: at its deadline, or when it was ready, or waited for a budget, too
--- long before its first attempt.
function placement.expires(r)
  local f = r.f
  if f.tl and not f.ai and (f.st == "ready" or (f.bo and not reasons.has_others(r))) then
    return number.earlier(f.dl, number.text(number.later(tonumber(f.ra), tonumber(f.tl))))
  end
  return f.dl
end

--- When time alone changes the record, as text, or nil. A member of a flow stays as long as the flow.
function placement.due(r)
  local f = r.f
  if f.ea then
    if f.nd then
      return nil
    end
    return number.text(number.later(f.ea, policy.of(r).retention))
  elseif f.li then
    return f.lx
  end
  local at = f.dl
  if f.tl then
    at = placement.expires(r)
  end
  if f.du or f.gx or f.wt then
    at = number.earlier(number.earlier(f.du, f.gx), number.earlier(f.wt, at))
  end
  return at
end

return placement
