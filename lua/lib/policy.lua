--- The policy of an execution: nine whole numbers behind the fingerprint in the field `p`: most
--- retries, most reclaims, attempt timeout (0 for none), retention, whether the back-off is
--- exponential, its base, factor and cap, and whether it is jittered. Times in ms.
local policy = {}

--- How often it is retried.
function policy.max_retries(r)
  return tonumber(string.match(r.f.p, "^%x+ (%d+)"))
end

--- How often it is reclaimed.
function policy.max_reclaims(r)
  return tonumber(string.match(r.f.p, "^%x+ %d+ (%d+)"))
end

--- How long an attempt may run; 0 when there is no limit.
function policy.attempt_timeout(r)
  return tonumber(string.match(r.f.p, "^%x+ %d+ %d+ (%d+)"))
end

--- How long the record is kept after its end.
function policy.retention(r)
  return tonumber(string.match(r.f.p, "^%x+ %d+ %d+ %d+ (%d+)"))
end

--- Whether the back-off is exponential, its base, factor and cap, and whether it is jittered.
function policy.backoff(r)
  local exponential, base, factor, cap, jitter =
    string.match(r.f.p, "^%x+ %d+ %d+ %d+ %d+ (%d) (%d+) (%d+) (%d+) (%d)$")
  return exponential == "1", tonumber(base), tonumber(factor), tonumber(cap), jitter == "1"
end

return policy
