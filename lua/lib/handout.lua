--- Handing out what stands at the head of a queue: a lease for fresh work, a token for a reclaim.
local admission = require("admission")
local answers = require("answers")
local barrier = require("barrier")
local execution = require("execution")
local kept = require("kept")
local lease = require("lease")
local number = require("number")
local record = require("record")
local spending = require("spending")

local handout = {}

--- How long an unused reclaim token holds its execution back.
local GRANT_TTL_MS = 5000

--- What a claim answers of an execution that is leased.
function handout.task(r, index)
  return { "task", index, r.id, record.task(r), record.payload(r), kept.long_state(r) }
end

--- Leases or grants the head of a queue. Answers the item, or nil when it has ended instead, or waits for
--- room in a budget; then `blocked`, which changes no other execution.
function handout.issue(r, wanted, index, now)
  local id = answers.derived(wanted.request, index)
  if barrier.ends(r, now) then
    execution.commit(r, now)
    return nil
  end
  local refused, reserved, aside = admission.refused(r, now)
  if refused == "block" then
    spending.block(r, reserved, aside)
  elseif refused then
    spending.fail(r, reserved, now)
  end
  if refused then
    execution.commit(r, now)
    return nil, refused == "block" and "blocked" or nil
  end
  record.set(r, "rv", reserved)
  if wanted.offered ~= "" or r.f.of then
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
