--- The best entries of several queues, without reading any further than they can lie.
local merge = {}

local function better(one, other)
  if one.score ~= other.score then
    return one.score < other.score
  end
  return one.id < other.id
end

--- Entries that are read of one queue at a time when several are merged.
local RUN = 16

--- The entries of a queue from a rank on, as heads.
local function read(source, from, count)
  local found = {}
  local scored = redis.call("ZRANGE", source.key, from, from + count - 1, "WITHSCORES")
  for i = 1, #scored, 2 do
    found[#found + 1] = {
      id = scored[i], score = tonumber(scored[i + 1]), queue = source.kind, key = source.key, entry = source.entry,
      registry = source.registry,
    }
  end
  return found
end

local function better_run(one, other)
  return better(one.heads[1], other.heads[1])
end

--- The queue whose next entry is the best, or nil. `runs` hold what was read of each, and where.
local function best_run(runs)
  local best
  for _, run in ipairs(runs) do
    if run.at > #run.heads and run.more then
      run.heads, run.at = read(run.source, run.read, RUN), 1
      run.read, run.more = run.read + #run.heads, #run.heads == RUN
    end
    local head = run.heads[run.at]
    if head and (not best or better(head, best.heads[best.at])) then
      best = run
    end
  end
  return best
end

--- Only the queues with the best first entries can hold the best `most`, so the others are not read
--- any further.
function merge.best(sources, most)
  local runs = {}
  for _, source in ipairs(sources) do
    local first = read(source, 0, 1)
    if first[1] then
      runs[#runs + 1] = { source = source, heads = first, at = 1, read = 1, more = true }
    end
  end
  table.sort(runs, better_run)
  for i = #runs, most + 1, -1 do
    runs[i] = nil
  end
  local found = {}
  while #found < most do
    local run = best_run(runs)
    if not run then
      break
    end
    found[#found + 1] = run.heads[run.at]
    run.at = run.at + 1
  end
  return found
end

return merge
