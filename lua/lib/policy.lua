--- The policy of an execution: nine whole numbers behind the fingerprint in the field `p`: most
--- retries, most reclaims, attempt timeout (0 for none), retention, whether the back-off is
--- exponential, its base, factor and cap, and whether it is jittered. Times in ms.
local memo = require("memo")

local policy = {}

--- Where the numbers start, behind 16 digits of fingerprint and a space.
local NUMBERS_AT = 18
local NUMBERS = "^(%d+) (%d+) (%d+) (%d+) (%d) (%d+) (%d+) (%d+) (%d)$"

local read = memo.of(function(text)
  local retries, reclaims, timeout, retention, exponential, base, factor, cap, jittered = string.match(text, NUMBERS)
  return {
    max_retries = tonumber(retries), max_reclaims = tonumber(reclaims),
    attempt_timeout = tonumber(timeout), retention = tonumber(retention),
    exponential = exponential == "1", base = tonumber(base), factor = tonumber(factor), cap = tonumber(cap),
    jittered = jittered == "1",
  }
end)

--- The policy of a record: `max_retries`, `max_reclaims`, the `attempt_timeout`, how long it is kept after its
--- end (`retention`), whether the back-off is `exponential`, its `base`, `factor` and `cap`, and whether it is
--- `jittered`. Not to be changed.
function policy.of(r)
  return read(string.sub(r.f.p, NUMBERS_AT))
end

return policy
