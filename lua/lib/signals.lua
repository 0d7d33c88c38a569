--- Signals one at a time: their bodies, what matches, and what a waitpoint has seen.
---
--- A body is `<name> <category> <correlation> <payload> ` in lengths, `-` for none, and then the four.
--- What a waitpoint has seen is a hash: `s` and a signal id hold what its sender was answered (`r`
--- resumed, `c` recorded, `b` buffered), `i` and an idempotency key the id of the signal that had it.
local keys = require("keys")

local signals = {}

--- Most signals a waitpoint keeps.
signals.KEPT_MAX = 64

local OUTCOMES = { r = "resumed", c = "recorded", b = "buffered" }

--- A body of these parts; correlation id and payload may be nil.
function signals.body(name, category, correlation, payload)
  local lengths = #name .. " " .. #category .. " " .. (correlation and #correlation or "-") .. " "
    .. (payload and #payload or "-") .. " "
  return lengths .. name .. category .. (correlation or "") .. (payload or "")
end

local function name_and_correlation(body)
  local name, category, correlation, at = string.match(body, "^(%d+) (%d+) (%S+) %S+ ()")
  local behind = at + name + category
  return string.sub(body, at, at + name - 1),
    correlation ~= "-" and string.sub(body, behind, behind + correlation - 1) or nil
end

--- Whether a waitpoint waits for a signal of this name and correlation id, which may be nil.
function signals.accepts(p, name, correlation)
  if p.kind == "s" then
    return p.matcher == name
  elseif p.kind == "c" then
    return p.matcher == correlation
  end
  return true
end

--- The kept signals of a waitpoint that match it.
function signals.matching(r, p)
  if p.kind == "e" then
    return p.kept
  end
  local matching = {}
  for _, s in ipairs(p.kept) do
    local body = redis.call("HGET", keys.signals(r.partition, r.id), s.order)
    if signals.accepts(p, name_and_correlation(body)) then
      matching[#matching + 1] = s
    end
  end
  return matching
end

--- What the sender of the same signal, or of another with its idempotency key, was answered, or nil.
function signals.before(r, p, id, idempotency_key)
  local key = keys.seen(r.partition, r.id, p.id)
  local outcome = redis.call("HGET", key, "s" .. id)
  if outcome then
    return OUTCOMES[outcome]
  end
  local twin = idempotency_key ~= "" and redis.call("HGET", key, "i" .. idempotency_key)
  return twin and "duplicate " .. twin or nil
end

--- Remembers what the sender of a signal is answered, by its letter. Answers it in full.
function signals.remember(w, p, id, idempotency_key, outcome)
  w.seen[#w.seen + 1] = { waitpoint = p.id, field = "s" .. id, value = outcome }
  if idempotency_key ~= "" then
    w.seen[#w.seen + 1] = { waitpoint = p.id, field = "i" .. idempotency_key, value = id }
  end
  return OUTCOMES[outcome]
end

return signals
