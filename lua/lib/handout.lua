--- Handing out what stands at the head of a queue: a lease for fresh work, a token for a reclaim.
local admission = require("admission")
local answers = require("answers")
local barrier = require("barrier")
local breach = require("breach")
local execution = require("execution")
local kept = require("kept")
local lease = require("lease")
local number = require("number")
local record = require("record")
local reservation = require("reservation")

local handout = {}

--- How long an unused reclaim token holds its execution back.
local GRANT_TTL_MS = 5000

--- What a claim answers of an execution that is leased.
function handout.task(r, index)
  local f = r.f
  return {
    "task", index, r.id, record.task(r), f.pk and record.payload(r) or "", f.sk and kept.long_state(r) or "",
  }
end

--- Leases or grants the head of a queue. Answers the item, or nil when it has ended instead, or waits for
--- room in a budget; then `blocked`, which changes no other execution.
function handout.issue(r, wanted, index, now)
  local id = answers.derived(wanted.request, index)
  local f = r.f
  -- Without these nothing ends one.
  if (f.dl or f.tl or f.nd) and barrier.ends(r, now) then
    execution.commit(r, now)
    return nil
  end
  local refused, reserved, aside
  if f.bu then
    refused, reserved, aside = admission.refused(r, now)
  end
  if refused == "block" then
    breach.block(r, reserved, aside)
  elseif refused then
    breach.fail(r, reserved, now)
  end
  if refused then
    execution.commit(r, now)
    return nil, refused == "block" and "blocked" or nil
  end
  if f.bu then
    reservation.set(r, reserved)
  end
  if wanted.offered ~= "" or f.of or f.B then
    record.set_text(r, "of", wanted.offered ~= "" and wanted.offered or nil)
  end
  if r.queue == "c" then
    record.set(r, "gi", id)
    record.set_number(r, "gx", number.later(now, GRANT_TTL_MS))
    execution.commit(r, now)
    return { "token", index, r.id }
  end
  lease.issue(r, id, wanted.holder, wanted.ttl, now)
  execution.commit(r, now)
  return handout.task(r, index)
end

return handout
