-- Requests for wrk, one thread: each is the next question of the file, with an id that no request had before.
-- BENCH_QUESTIONS: a Lua file of { before, after } pairs, the id goes between them. BENCH_RUN: 8 hex digits of this run.
-- BENCH_ANSWERS: where set, "<id of the call> <decision>" is written there for each answer, which costs some speed.
local floor, format = math.floor, string.format
local run = os.getenv('BENCH_RUN')
local answersFile = os.getenv('BENCH_ANSWERS')
local questions, count, asked

function init()
  questions = dofile(os.getenv('BENCH_QUESTIONS'))
  count = #questions
  asked = 0
  if answersFile then
    local answers = assert(io.open(answersFile, 'w'))
    function response(status, _, body)
      local id = body:match('"callId":"([^"]+)"') or '-'
      answers:write(id, ' ', status, ' ', body:match('"decision":"([^"]+)"') or '-', '\n')
      answers:flush()
    end
  end
end

function request()
  local question = questions[asked % count + 1]
  asked = asked + 1
  local id = format('%s-0000-4000-8000-%06x%06x', run, floor(asked / 16777216), asked % 16777216)
  return question[1] .. id .. question[2]
end

function done(summary, latency)
  local errors = summary.errors
  print(format(
    'FIGURES {"requests":%d,"durationS":%.6f,"p50Ms":%.3f,"p99Ms":%.3f,"maxMs":%.3f,"notOk":%d,"failed":%d}',
    summary.requests, summary.duration / 1e6, latency:percentile(50) / 1e3, latency:percentile(99) / 1e3,
    latency.max / 1e3, errors.status, errors.connect + errors.read + errors.write + errors.timeout
  ))
end
