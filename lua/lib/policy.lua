--- The policy of an execution: nine whole numbers in one field, in the order of the names below.
local policy = {}

local PATTERN = "(%d+) (%d+) (%d+) (%d+) (%d+) (%d+) (%d+) (%d+) (%d+)"

--- The policy of a record. `exponential` and `jitter` are 0 or 1; a fixed back-off is its base;
--- `attempt_timeout` is 0 when there is none. Times in ms.
function policy.of(r)
  if not r.policy then
    local max_retries, max_reclaims, attempt_timeout, retention, exponential, base, factor, cap, jitter =
      string.match(r.f.po, PATTERN)
    r.policy = {
      max_retries = tonumber(max_retries),
      max_reclaims = tonumber(max_reclaims),
      attempt_timeout = tonumber(attempt_timeout),
      retention = tonumber(retention),
      exponential = exponential == "1",
      base = tonumber(base),
      factor = tonumber(factor),
      cap = tonumber(cap),
      jitter = jitter == "1",
    }
  end
  return r.policy
end

return policy
