--- The name of every key. `partition` is the prefix `ff:{<namespace>/<number>}:`, whose braces put
--- all keys of a partition into one hash slot.
---
--- A lane has no space, a requirement class none and no tab, so that joined names stay unambiguous.
--- A tag is `<key> <value>`: no control byte, and no space in its key.
local keys = {}

--- The mark of a partition: how many there are, and the protocol. Every call declares it.
function keys.mark(partition)
  return partition .. "mark"
end

--- The hash of one execution. Its values have at most 64 bytes, so that it stays compact, unless the
--- names, tags or capabilities of a submission are longer.
function keys.execution(partition, id)
  return partition .. "e:" .. id
end

--- The hash of the values of an execution that are longer than 64 bytes.
function keys.long(partition, id)
  return partition .. "b:" .. id
end

--- The payload of an execution, when it is longer than 64 bytes.
function keys.payload(partition, id)
  return partition .. "p:" .. id
end

--- The state that a handler saved, when it is longer than 64 bytes.
function keys.state(partition, id)
  return partition .. "t:" .. id
end

--- The hash of the steps that a handler recorded.
function keys.steps(partition, id)
  return partition .. "g:" .. id
end

--- The frames of an execution, a stream.
function keys.frames(partition, id)
  return partition .. "s:" .. id
end

--- The running summary of an execution.
function keys.summary(partition, id)
  return partition .. "c:" .. id
end

--- The hash of the waitpoints of an execution and of what it waits for.
function keys.waits(partition, id)
  return partition .. "v:" .. id
end

--- The hash of the bodies of its signals.
function keys.signals(partition, id)
  return partition .. "y:" .. id
end

--- The hash of the signals that a waitpoint has seen.
function keys.seen(partition, id, waitpoint)
  return partition .. "u:" .. id .. waitpoint
end

--- The open waitpoints, a sorted set of `<waitpoint> <execution>` in the order of their ids.
function keys.open_waitpoints(partition)
  return partition .. "o"
end

--- What signs waitpoint tokens where nothing is configured; outside of the prefix that readers read.
function keys.signing_key(partition)
  return "secret:" .. partition
end

--- The hash of one flow.
function keys.flow(partition, id)
  return partition .. "f:" .. id
end

--- The edges that lead out of a node (`c`) or into it (`p`), when they are too many for its hash: two
--- bytes for the index of the node there, and the letter of the condition.
function keys.links(partition, kind, id)
  return partition .. "j:" .. kind .. id
end

--- What is left to do in a flow, a list: ends to be counted (`c`), decided nodes (`d`), staged nodes that
--- are to start (`s`), or will be once the flow is sealed (`x`).
function keys.backlog(partition, kind, flow)
  return partition .. "z:" .. kind .. flow
end

--- The completion log, a stream: an event for each end of an execution or a flow. Events are counted in
--- the second part of their ids; the first part is always 1.
function keys.log(partition)
  return partition .. "h"
end

--- The processes that wait for the next event, a set.
function keys.log_readers(partition)
  return partition .. "h:"
end

--- The open child flows of an execution, a sorted set.
function keys.child_flows(partition, id)
  return partition .. "i:" .. id
end

--- The hash of one budget.
function keys.budget(partition, id)
  return partition .. "B:" .. id
end

--- All budgets, a sorted set in the order of their ids.
function keys.budgets(partition)
  return partition .. "B"
end

--- The hash of one schedule.
function keys.schedule(partition, id)
  return partition .. "S:" .. id
end

--- All schedules, a sorted set in the order of their ids.
function keys.schedules(partition)
  return partition .. "S"
end

--- Those that wait for room in a budget, a sorted set like a queue.
function keys.budget_line(partition, id)
  return partition .. "W:" .. id
end

--- Those that need more than there can be of a budget, a sorted set by the generation in which they were set
--- aside.
function keys.budget_aside(partition, id)
  return partition .. "V:" .. id
end

--- The shares of a budget in other partitions, a hash by the number of their partition.
function keys.budget_shares(partition, id)
  return partition .. "X:" .. id
end

--- The keys of the latest reports of usage that were counted for an execution, a sorted set in their order.
function keys.reports(partition, id)
  return partition .. "U:" .. id
end

--- All flows, a sorted set in the order of their ids.
function keys.flows(partition)
  return partition .. "f"
end

--- All executions, a sorted set in the order of their ids.
function keys.all(partition)
  return partition .. "a"
end

--- What is due when, a sorted set: of all executions, or of those with a tag.
function keys.due(partition, tag)
  if tag then
    return partition .. "d:" .. tag
  end
  return partition .. "d"
end

--- One queue, a sorted set: `f` for fresh work and `c` for reclaims, and of the reclaims also one
--- for each tag.
function keys.queue(partition, queue, lane, class, tag)
  local name = partition .. "q:" .. queue .. ":" .. lane .. " " .. class
  if tag then
    return name .. "\t" .. tag
  end
  return name
end

--- Which queues of a lane hold something, a set of `<queue><class>`, and in capitals those in which keys take
--- turns; those of a tag apart.
function keys.lane(partition, lane, tag)
  if tag then
    return partition .. "l:" .. lane .. " " .. tag
  end
  return partition .. "l:" .. lane
end

--- The settings of a lane, a text; of one that was ever steered.
function keys.lane_settings(partition, lane)
  return partition .. "L:" .. lane
end

--- All lanes that were ever steered, a sorted set in the order of their names.
function keys.steered_lanes(partition)
  return partition .. "L"
end

--- The hash of what changes in a lane.
function keys.lane_run(partition, lane)
  return partition .. "N:" .. lane
end

--- The hash of the weights of the keys of a lane.
function keys.lane_weights(partition, lane)
  return partition .. "M:" .. lane
end

--- How many leases (`l<key>`) and reclaim tokens (`t<key>`) the keys of a lane hold, a hash.
function keys.held_by_key(partition, lane)
  return partition .. "H:" .. lane
end

--- When the next claim for each key of a lane is due at its full rate, in us, a sorted set.
function keys.key_arrivals(partition, lane)
  return partition .. "R:" .. lane
end

--- The keys of a lane that are aside, a sorted set by until when; without an end until a lease ends.
function keys.aside(partition, lane)
  return partition .. "P:" .. lane
end

--- Those of them that were aside when the lane was adjusted, and are to be put back, a sorted set.
function keys.aside_before(partition, lane)
  return partition .. "D:" .. lane
end

--- The entries of the registry of a lane that a key is to take part in again, a set.
function keys.aside_of(partition, lane, key)
  return partition .. "Z:" .. lane .. " " .. key
end

--- What is ready in a lane and has a key, a sorted set by since when.
function keys.keyed(partition, lane)
  return partition .. "A:" .. lane
end

--- The keys that take turns in a queue, a sorted set: `f` for fresh work and `c` for reclaims.
function keys.turns(partition, queue, lane, class, tag)
  local name = partition .. "T:" .. queue .. ":" .. lane .. " " .. class
  return tag and name .. "\t" .. tag or name
end

--- What is ready for one of these keys, a sorted set like a queue.
function keys.keyed_queue(partition, queue, lane, class, tag, key)
  local name = partition .. "Q:" .. queue .. ":" .. lane .. " " .. class .. " " .. key
  return tag and name .. "\t" .. tag or name
end

--- What live workers offer in a lane, a sorted set by until when that counts.
function keys.offers(partition, lane)
  return partition .. "O:" .. lane
end

--- Who waits for work of a lane, a sorted set, longest wait first.
function keys.waiters(partition, lane)
  return partition .. "w:" .. lane
end

--- The lanes that somebody waits for, a set.
function keys.waited_lanes(partition)
  return partition .. "w"
end

--- Which maintainers sleep until when, a sorted set.
function keys.maintainers(partition)
  return partition .. "m"
end

--- The execution that an idempotency key names.
function keys.idempotency(partition, kind, key)
  return partition .. "k:" .. kind .. " " .. key
end

--- What the latest claim (`f`) or reclaim request (`c`) of a worker instance on a lane was given.
function keys.answer(partition, asked, instance, lane)
  return partition .. "r:" .. asked .. instance .. lane
end

--- The channel of one process.
function keys.process(partition, process)
  return partition .. "n:" .. process
end

--- The channel of one worker instance, for what it must hear while it works.
function keys.instance(partition, instance)
  return partition .. "y:" .. instance
end

--- The channel on which the end of an execution is told to those who wait for it.
function keys.ended(partition, id)
  return partition .. "x:" .. id
end

--- The channel on which readers are told that there is something new in the stream of an execution.
function keys.written(partition, id)
  return partition .. "s:" .. id
end

return keys
