--- The record of a submission: of fourteen values in a row, which are fingerprint, lane, required
--- capabilities, priority, kind, content type, payload, tags, policy, time before which it is not ready,
--- deadline, budgets (32 digits each), estimate (see `amounts`), and lane key.
local keys = require("keys")
local number = require("number")
local reasons = require("reasons")
local record = require("record")
local run = require("run")

local submission = {}

local function optional(text)
  return text ~= "" and text or nil
end

--- A record in hand that is not stored yet, from the values behind `at`. A long payload is. `ttl` is how long it
--- may be ready before its first attempt, as text or nil.
function submission.record(partition, id, values, at, ttl, now)
  local r = record.new(partition, id, values[at + 2], values[at + 4], values[at + 5], now)
  local f = r.f
  f.p = values[at + 1] .. " " .. values[at + 9]
  f.cl, f.ct = optional(values[at + 3]), optional(values[at + 6])
  f.tg, f.dl = optional(values[at + 8]), optional(values[at + 11])
  f.bu, f.es = optional(values[at + 12]), optional(values[at + 13])
  f.lk, f.tl = optional(values[at + 14]), ttl
  if values[at + 10] ~= "" then
    f.ra = number.text(run.delay(r, tonumber(values[at + 10]), now))
    f.st = reasons.state(r)
  end
  local payload = values[at + 7]
  if #payload > record.SHORT_MAX_BYTES then
    f.pk = "1"
    redis.call("SET", keys.payload(partition, id), payload)
  else
    f.pl = optional(payload)
  end
  return r
end

return submission
