%% The same work between two Erlang nodes, and in one of them: with plain messages and with a gen_server.
-module(bench).
-behaviour(gen_server).
-export([serve/0, measure/4, init/1, handle_call/3, handle_cast/2]).

%% ---- the node that is asked

serve() ->
    register(plain, spawn(fun() -> plain(0) end)),
    {ok, _} = gen_server:start({local, server}, ?MODULE, [], []),
    io:format("ready~n").

plain(Count) ->
    receive
        {increment, From, Ref, N} -> From ! {Ref, N + 1}, plain(Count);
        {echo, From, Ref, Value} -> From ! {Ref, Value}, plain(Count);
        {take, N} when is_integer(N) -> plain(Count + 1);
        {arrived, From, Ref} -> From ! {Ref, Count}, plain(Count)
    end.

init([]) -> {ok, 0}.
handle_call({increment, N}, _From, Count) -> {reply, N + 1, Count};
handle_call({echo, Value}, _From, Count) -> {reply, Value, Count};
handle_call(arrived, _From, Count) -> {reply, Count, Count}.
handle_cast({take, N}, Count) when is_integer(N) -> {noreply, Count + 1}.

%% ---- the node that measures

%% Warms up for half the duration, which is in ms, and prints the figures of one run as JSON.
measure(Work, Kind, Node, Ms) ->
    Peer = case Node of nonode@nohost -> serve(), Kind; _ -> {Kind, Node} end,
    run(Work, Kind, Peer, Ms div 2),
    Figures = run(Work, Kind, Peer, Ms),
    io:format("{~s}~n", [lists:join(",", [io_lib:format("\"~s\":~.3f", [N, float(V)]) || {N, V} <- Figures])]),
    halt().

%% Requests one by one: the median and the 99th percentile, in us.
run(asks, Kind, Peer, Ms) ->
    Times = list_to_tuple(lists:sort(times(Kind, Peer, now_us() + Ms * 1000, []))),
    At = fun(Share) -> element(trunc(size(Times) * Share) + 1, Times) / 1000 end,
    [{p50, At(0.5)}, {p99, At(0.99)}];
%% 64 requests outstanding: by one process with plain messages, by 64 with calls.
run(outstanding, Kind, Peer, Ms) ->
    [{rate, outstanding(Kind, Peer, fun(N) -> {increment, N} end, Ms)}];
run(texts, Kind, Peer, Ms) ->
    Text = binary:copy(<<"0123456789abcdef">>, 64),
    [{rate, outstanding(Kind, Peer, fun(_) -> {echo, Text} end, Ms)}];
run(one_way, Kind, Peer, Ms) ->
    Before = arrived(Kind, Peer),
    Start = now_us(),
    Sent = tell(Kind, Peer, Start + Ms * 1000, 0),
    Sent = arrived(Kind, Peer) - Before,
    [{rate, Sent * 1.0e6 / (now_us() - Start)}];
run(local, Kind, Peer, Ms) ->
    [{rate, Tell}] = run(one_way, Kind, Peer, Ms),
    Start = now_us(),
    Asks = one_by_one(Kind, Peer, Start + Ms * 1000, 0),
    Start2 = now_us(),
    Spawns = spawns(Start2 + Ms * 1000, 0),
    [{tell, Tell}, {ask, Asks * 1.0e6 / (Start2 - Start)}, {spawn, Spawns * 1.0e6 / (now_us() - Start2)}].

now_us() -> erlang:monotonic_time(microsecond).

ask(plain, Peer, {Type, Value}) ->
    Ref = make_ref(),
    Peer ! {Type, self(), Ref, Value},
    receive {Ref, Answer} -> Answer end;
ask(server, Peer, Request) -> gen_server:call(Peer, Request, infinity).

arrived(plain, Peer) -> Ref = make_ref(), Peer ! {arrived, self(), Ref}, receive {Ref, Count} -> Count end;
arrived(server, Peer) -> gen_server:call(Peer, arrived, infinity).

times(Kind, Peer, End, Times) ->
    Start = erlang:monotonic_time(nanosecond),
    8 = ask(Kind, Peer, {increment, 7}),
    Time = erlang:monotonic_time(nanosecond) - Start,
    case Start div 1000 < End of
        true -> times(Kind, Peer, End, [Time | Times]);
        false -> Times
    end.

one_by_one(Kind, Peer, End, Done) ->
    [ask(Kind, Peer, {increment, N}) || N <- lists:seq(1, 64)],
    case now_us() < End of
        true -> one_by_one(Kind, Peer, End, Done + 64);
        false -> Done + 64
    end.

outstanding(plain, Peer, Request, Ms) ->
    Send = fun(N) -> {Type, Value} = Request(N), Peer ! {Type, self(), make_ref(), Value} end,
    Start = now_us(),
    [Send(N) || N <- lists:seq(1, 64)],
    Done = window(Send, Start + Ms * 1000, 0),
    Done * 1.0e6 / (now_us() - Start);
outstanding(server, Peer, Request, Ms) ->
    Self = self(),
    Start = now_us(),
    End = Start + Ms * 1000,
    [spawn_link(fun() -> Self ! {done, lane(Peer, Request, End, 0)} end) || _ <- lists:seq(1, 64)],
    Done = lists:sum([receive {done, N} -> N end || _ <- lists:seq(1, 64)]),
    Done * 1.0e6 / (now_us() - Start).

window(Send, End, Done) ->
    [receive {Ref, _} when is_reference(Ref) -> Send(N) end || N <- lists:seq(1, 64)],
    case now_us() < End of
        true -> window(Send, End, Done + 64);
        false -> [receive {Ref, _} when is_reference(Ref) -> ok end || _ <- lists:seq(1, 64)], Done + 128
    end.

lane(Peer, Request, End, Done) ->
    gen_server:call(Peer, Request(Done band 1023), infinity),
    case now_us() < End of
        true -> lane(Peer, Request, End, Done + 1);
        false -> Done + 1
    end.

tell(Kind, Peer, End, Sent) ->
    tells(Kind, Peer, 64),
    case now_us() < End of
        true -> tell(Kind, Peer, End, Sent + 64);
        false -> Sent + 64
    end.

tells(_Kind, _Peer, 0) -> ok;
tells(plain, Peer, N) -> Peer ! {take, N}, tells(plain, Peer, N - 1);
tells(server, Peer, N) -> gen_server:cast(Peer, {take, N}), tells(server, Peer, N - 1).

%% Processes that are started and end at once, 100 at a time.
spawns(End, Done) ->
    Monitors = [element(2, spawn_monitor(fun() -> ok end)) || _ <- lists:seq(1, 100)],
    [receive {'DOWN', Monitor, process, _, normal} -> ok end || Monitor <- Monitors],
    case now_us() < End of
        true -> spawns(End, Done + 100);
        false -> Done + 100
    end.
