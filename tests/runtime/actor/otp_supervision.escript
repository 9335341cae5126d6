#!/usr/bin/env escript
%% Runs scenarios of supervision with OTP's supervisor, and prints a line for each tree and each
%% event: what started (+name) and was shut down (-name), in order.
-mode(compile).
-export([init/1, start_worker/1, worker/2]).

main([Path]) ->
    logger:set_primary_config(level, none),
    process_flag(trap_exit, true),
    register(notes, self()),
    {ok, Terms} = file:consult(Path),
    lists:foreach(fun run/1, Terms).

run({tree, Top}) ->
    {supervisor, top, _, Strategy, Intensity, Children} = Top,
    {ok, Pid} = supervisor:start_link({local, top}, ?MODULE, {Strategy, Intensity, Children}),
    put(top, Pid),
    print();
run(done) ->
    case whereis(top) of
        undefined -> ok;
        Pid -> exit(Pid, shutdown), wait_end(Pid)
    end,
    receive {'EXIT', _, _} -> ok after 0 -> ok end,
    rest(), flush();
run({crash, Name}) -> whereis(Name) ! crash, print();
run({'end', Name}) -> whereis(Name) ! stop, print();
run({kill, Name}) -> exit(whereis(Name), kill), print();
run({stop, Parent, Name}) -> supervisor:terminate_child(Parent, Name), print();
run({restart, Parent, Name}) -> supervisor:restart_child(Parent, Name), print();
run({remove, Parent, Name}) ->
    supervisor:terminate_child(Parent, Name),
    supervisor:delete_child(Parent, Name),
    print();
run({start, Parent, Node}) ->
    {ok, _} = supervisor:start_child(Parent, child(Node)),
    print().

wait_end(Pid) ->
    Ref = monitor(process, Pid),
    receive {'DOWN', Ref, _, _, _} -> ok end.

%% Waits until nothing happens any more: no process but this one runs or has messages.
rest() -> rest(0).
rest(5) -> ok;
rest(Quiet) ->
    timer:sleep(1),
    Busy = [P || P <- processes(), P =/= self(), is_ours(P), is_busy(P)],
    case Busy of [] -> rest(Quiet + 1); _ -> rest(0) end.

is_ours(P) ->
    case process_info(P, dictionary) of
        {dictionary, D} -> proplists:is_defined('$ancestors', D) andalso
            lists:any(fun(A) -> A =:= notes orelse A =:= self() end,
                      proplists:get_value('$ancestors', D));
        _ -> false
    end.

is_busy(P) ->
    case process_info(P, [status, message_queue_len]) of
        [{status, waiting}, {message_queue_len, 0}] -> false;
        undefined -> true;
        _ -> true
    end.

print() ->
    rest(),
    io:format("~s~n", [lists:join(" ", flush())]).

flush() ->
    receive
        {note, Note} -> [Note | flush()];
        {'EXIT', _, _} -> flush()
    after 0 -> []
    end.

%% Supervisors.
init({Strategy, Intensity, Children}) ->
    Flags = #{strategy => Strategy, intensity => Intensity, period => 3600},
    {ok, {Flags, [child(C) || C <- Children]}}.

child({worker, Name, Restart}) ->
    #{id => Name, restart => Restart, start => {?MODULE, start_worker, [Name]}};
child({supervisor, Name, Restart, Strategy, Intensity, Children}) ->
    #{id => Name, restart => Restart, type => supervisor,
      start => {supervisor, start_link, [{local, Name}, ?MODULE, {Strategy, Intensity, Children}]}}.

%% Workers.
start_worker(Name) -> proc_lib:start_link(?MODULE, worker, [Name, self()]).

worker(Name, Parent) ->
    register(Name, self()),
    process_flag(trap_exit, true),
    notes ! {note, [$+ | atom_to_list(Name)]},
    proc_lib:init_ack({ok, self()}),
    receive
        crash -> exit(crash);
        stop -> notes ! {note, [$- | atom_to_list(Name)]}, exit(normal);
        {'EXIT', Parent, shutdown} ->
            notes ! {note, [$- | atom_to_list(Name)]},
            exit(shutdown)
    end.
