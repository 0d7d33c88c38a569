--- Counts what an attempt has used, in all budgets of the execution or in none. The outcome is `ok`, `already`
--- when a report with this key was counted before, or `soft` or `hard` and which limit is passed: budget,
--- limit, what is used, what is reserved, what was asked for, and the dimension; or `short`, which budget has a share
--- here that does not hold enough, and how much is missing, see `amounts`; or `recall`, which budget has too little room
--- here while its shares may hold some that nobody uses, and the names of these.
---
--- @arg id      id
--- @arg attempt int
--- @arg epoch   int
--- @arg lease   bytes  16 bytes
--- @arg given   flag   whether there is a key
--- @arg key     text   of the report
--- @arg used    text   see `amounts`
--- @arg last    flag   whether to say what is passed where more room may be had
--- @ok outcome text
--- @err NOT_FOUND STALE_LEASE LEASE_EXPIRED LEASE_REVOKED ALREADY_TERMINAL ALREADY_RELEASED USAGE_DIMENSIONS USAGE_SUM
local amounts = require("amounts")
local budget = require("budget")
local held = require("held")
local kept = require("kept")
local record = require("record")
local reply = require("reply")
local reservation = require("reservation")
local usage = require("usage")

return function(partition, id, attempt, epoch, lease_id, given, key, text, last)
  return held.by(partition, id, attempt, epoch, lease_id, nil, function(r, now)
    if given == "1" and kept.is_reported(r, key) then
      return reply.ok("already"), false
    end
    local used = amounts.read(text)
    local total, limit, reached = usage.total(r, used)
    if limit == "USAGE_SUM" then
      return reply.err("USAGE_SUM", reached), false
    elseif limit then
      return reply.err("USAGE_DIMENSIONS", reached), false
    end
    local after = usage.left(r, used)
    local budgets, refused, soft = usage.count(r, used, after, now, last == "1")
    if not budgets and soft then
      return reply.err("USAGE_SUM", soft), false
    elseif not budgets then
      return reply.ok(refused), false
    end
    for _, b in ipairs(budgets) do
      budget.save(b, now)
    end
    reservation.set(r, amounts.text(after))
    record.set_text(r, "ug", amounts.text(total))
    if given == "1" then
      kept.add_report(r, key)
    end
    return reply.ok(soft or "ok")
  end)
end
