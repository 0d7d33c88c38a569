--- What the home of a budget makes of a message of a share: see `share_messages`.
local admission = require("admission")
local amounts = require("amounts")
local budget = require("budget")
local dimensions = require("dimensions")
local granting = require("granting")
local keys = require("keys")
local number = require("number")
local packed = require("packed")
local record = require("record")
local share_news = require("share_news")
local shares = require("shares")
local window = require("window")

local settling = {}

--- Counts what a share has settled since its last message. Answers whether that is anything.
local function count(b, one, settled)
  local before, after, some = amounts.read(one.settled), amounts.read(settled), false
  for _, limit in ipairs(b.limits) do
    local more = (after[limit.name] or 0) - (before[limit.name] or 0)
    if more > 0 then
      limit.used, some = math.min(limit.used + more, amounts.MAX), true
    end
  end
  one.settled = settled
  return some
end

--- What those that wait in a share, or come next, are granted at once. When there is no room for the first it waits in
--- line.
local function line_up(b, one, score, now)
  if score == "" then
    return not b.f.wl and granting.room_for(b, one) or ""
  elseif admission.used_up(b, amounts.read(one.least)) then
    return ""
  end
  local stands_behind = b.f.wl and admission.stands_behind(b, score + 0, shares.entry(one))
  local is_first = not stands_behind and not granting.is_renewed(b)
  local grants = is_first and granting.room_for(b, one, shares.others_wait(b, one))
  if grants then
    return grants
  end
  redis.call("ZADD", keys.budget_line(b.partition, b.budget), score, shares.entry(one))
  one.in_line = score
  share_news.line_begins(b, now)
  record.set(b, "wl", "1")
  local at = number.text(number.later(now, budget.LINE_LOOK_MS))
  record.set(b, "la", number.earlier(number.earlier(b.f.la, at), window.end_of(b)))
  return ""
end

--- Those in line may go on, or cannot any more.
local function look_at_line(b, now)
  if not b.f.wl then
    return
  elseif redis.call("EXISTS", keys.budget_line(b.partition, b.budget)) == 1 then
    record.set_number(b, "la", now)
  else
    record.set(b, "wl", nil)
  end
end

--- The answer to the message of a number.
local function answer(b, one, granted, message)
  local figures = {}
  for at, limit in ipairs(b.limits) do
    figures[at] = limit.name .. " " .. dimensions.text(limit)
  end
  return cmsgpack.pack({
    message, granted, table.concat(figures, " "), window.end_of(b) or "", number.text(budget.generation(b)),
    one.contended, one.in_line, one.number,
  })
end

--- Takes a message, and answers it. One that was heard before is answered as then, and a share that has lost messages
--- with the number of the last. The second value names the shares that may hold what is needed at once and not there.
function settling.hear(b, name, message, now)
  local values = packed.read(message)
  local one = shares.load(b, name)
  local ahead = values[1] - one.number
  if ahead <= 0 then
    return answer(b, one, ahead == 0 and one.granted or "", values[1]), ""
  end
  local was_in_line, held, news = one.in_line ~= "", one.held, one.news
  local is_recalled = one.contended == shares.RECALLED
  local used = count(b, one, values[2])
  one.number, one.free, one.least, one.all = values[1], values[4], values[5], values[6]
  one.waiting, one.news = values[8], ""
  granting.leave_line(b, one)
  one.held = granting.sum(values[3], news)
  local freed = granting.reserve(b, held, one.held)
  local urgent = granting.at_once(b, values[10])
  one.held = granting.sum(one.held, urgent)
  granting.reserve(b, "", urgent)
  one.free = granting.sum(one.free, news)
  local grants = is_recalled and values[7] == "" and "" or line_up(b, one, values[7], now)
  granting.reserve(b, "", grants)
  one.held = granting.sum(one.held, grants)
  one.granted = granting.sum(granting.sum(news, urgent), grants)
  one.told = values[9] ~= "" and number.text(budget.generation(b)) or ""
  if one.told ~= "" then
    record.set(b, "sa", "1")
    record.set(b, "la", number.earlier(b.f.la, window.end_of(b)))
  end
  if freed or used or was_in_line then
    look_at_line(b, now)
  end
  one.contended = (is_recalled or shares.others_wait(b, one) or granting.is_over(b)) and "1" or ""
  share_news.heard(b, name)
  shares.save(b, one)
  local recalled = ""
  if urgent == "" and values[10] ~= "" and not admission.used_up(b, amounts.read(values[10])) then
    recalled = share_news.recall(b, name)
  end
  return answer(b, one, one.granted, one.number), recalled
end

return settling
