/*
 * The slice protocol (docs/protocol.md) as a model that spin explores exhaustively; scripts/model.sh runs it.
 *
 * Two steps of two runs load overlapping slices of one table: step 0 a month (cells 0 and 1), step 1 a day of it (cell 1);
 * with SAME_SLICE both load the month, with STEPS 3 a third run loads the month again. Every pair conflicts.
 *
 * What may go wrong, at any moment: a lease expires although its worker lives; a worker stalls anywhere (interleaving) and wakes
 * up later; the last worker dies for good; staging or a gate fails; the warehouse ends a session; the answer to COMMIT is lost
 * while the COMMIT is still on its way; a step is cancelled; whoever revokes a step is slow or dies as well. The source changes
 * between any two extractions: each extraction gets a time of its own.
 *
 * An atomic block is one transaction, or a part of one that nobody else can tell from it.
 *
 * Scope:     WORKERS, STEPS, ATTEMPTS (failed or lost ones a step may spend: the service counts them apart, which only changes when
 *            the end comes), REVOKE_EXPIRIES, SAME_SLICE, DEATH, NO_EXCLUSION (conflicting steps may run together: safety must not
 *            need rule 4), LIVENESS (adds the claim that every step ends).
 * Mutations: one rule taken away each, and each has to be found wrong. scripts/model.sh lists them.
 */
#ifndef WORKERS
#define WORKERS 2
#endif
#ifndef STEPS
#define STEPS 2
#endif
#ifndef ATTEMPTS
#define ATTEMPTS 2
#endif
#ifndef REVOKE_EXPIRIES
#define REVOKE_EXPIRIES 1
#endif
#define CELLS 2
#define SLICES 2

#ifdef SAME_SLICE
#define SLICE(s) 0
#define COVERS(s, c) true
#else
#define SLICE(s) ((s) == 1)
#define COVERS(s, c) ((s) != 1 || (c) == 1)
#endif

#ifdef LOCK_PER_SLICE_ONLY
#define LOCK(s) SLICE(s)
#else
#define LOCK(s) 0
#endif

/* More numbers than any history needs. Reaching it means that steps chase each other for ever. */
#define NUMBERS 24

mtype = { queued, running, revoking, succeeded, cancelled, failed };          /* states of a step */
mtype = { closed, publishing, committing, committed, aborted };               /* phases of a warehouse session */

/* Control database. */
typedef Step {
	mtype state = queued;
	mtype verdict;          /* revoking: the final state unless the ledger knows better */
	byte owner;             /* number of the current claim; 0: nobody's */
	byte spent              /* attempts lost or failed */
};
Step step[STEPS];
byte number;                    /* the sequence all claims draw from */
byte revoke_expiries;

/* Warehouse. */
bool ledger[STEPS];             /* a row with this step_id */
byte ledger_load[STEPS];
byte fence[SLICES];             /* slice_fence: highest number registered for the slice */
bool fence_shared[SLICES];      /* the row is held FOR SHARE by a publish in flight */
byte lock[SLICES];              /* target lock: session + 1; only lock[0] unless LOCK_PER_SLICE_ONLY */
byte cell_load[CELLS];          /* whose rows are in the cell */
byte cell_seen[CELLS];          /* when they were read from the source */

/* A worker's claim, with the warehouse session that works for it. The session outlives the worker's interest in it. */
typedef Attempt {
	mtype phase = closed;
	byte step;
	byte load;
	byte seen;              /* when it extracted */
	byte base[CELLS]        /* the rows its difference was computed against */
};
Attempt at[WORKERS];

byte source_time;
byte commits[STEPS];            /* for the assertions: how often a step's rows were committed */
#ifdef DEATH
bool doomed;                    /* the last worker dies, wherever it is */
#endif
#ifdef REVOKE_NUMBER_DRAWN_EARLY
byte early_number;
#endif

#define FINAL(s) (step[s].state == succeeded || step[s].state == cancelled || step[s].state == failed)
#if STEPS == 3
#define FINISHED (FINAL(0) && FINAL(1) && FINAL(2))
#define RUNNING_ELSEWHERE(s) ((s != 0 && step[0].state == running) || (s != 1 && step[1].state == running) || \
	(s != 2 && step[2].state == running))
#else
#define FINISHED (FINAL(0) && FINAL(1))
#define RUNNING_ELSEWHERE(s) (step[1 - s].state == running)
#endif

#ifdef NO_EXCLUSION
#define MAY_RUN(s) true
#else
#define MAY_RUN(s) (!RUNNING_ELSEWHERE(s))
#endif

#define MINE (step[at[me].step].owner == at[me].load)

/* ---- control database ---------------------------------------------------------------------------------------------------- */

inline draw_number(into)
{
	number++;
	assert(number < NUMBERS);               /* nobody is sent back for ever */
	into = number
}

/* One transaction: the state, and a number drawn while it cannot change. */
inline claim(which, as)
{
	step[which].state = as;
	draw_number(step[which].owner);
#ifdef REVOKE_NUMBER_DRAWN_EARLY
	if
	:: as == revoking && step[which].verdict == cancelled -> step[which].owner = early_number
	:: else
	fi;
#endif
	at[me].step = which;
	at[me].load = step[which].owner
}

inline begin_revoking(which, outcome)
{
	step[which].state = revoking;
	step[which].verdict = outcome;
	step[which].owner = 0
}

/* An attempt failed or its lease expired: try again, or make an end, which REVOKE has to precede. */
inline spend_attempt(which)
{
	step[which].spent++;
	if
	:: step[which].spent < ATTEMPTS -> step[which].state = queued; step[which].owner = 0
	:: else ->
#ifdef NO_REVOCATION
		step[which].state = failed; step[which].owner = 0
#else
		begin_revoking(which, failed)
#endif
	fi
}

inline forget_attempt()
{
	at[me].phase = closed; at[me].step = 0; at[me].load = 0; at[me].seen = 0; at[me].base[0] = 0; at[me].base[1] = 0
}

/* Reports are guarded by the claim. Each ends an atomic block that also finds what is reported: committed, aborted, in the ledger
   and overtaken stay so once they are, so a stall between finding and telling is a stall before finding. */
inline report_success()
{
	if
	:: MINE && step[at[me].step].state == running ->
		assert(commits[at[me].step] == 1);
		step[at[me].step].state = succeeded; step[at[me].step].owner = 0
	:: else
	fi;
	forget_attempt()
}

inline report_failure()
{
	if
	:: MINE && step[at[me].step].state == running -> spend_attempt(at[me].step)
	:: else
	fi;
	forget_attempt()
}

/* Overtaken in the warehouse. Whoever still owns the claim hands the step back for a newer number, at no cost: it was no fault of
   this attempt. Only without rule 4 may two steps overtake each other for ever, so there it costs an attempt. */
inline report_ghost()
{
#ifdef NO_EXCLUSION
	report_failure()
#else
	if
	:: MINE && step[at[me].step].state == running -> step[at[me].step].state = queued; step[at[me].step].owner = 0
	:: else
	fi;
	forget_attempt()
#endif
}

/* ---- warehouse ----------------------------------------------------------------------------------------------------------- */

inline release_locks(w)
{
	fence_shared[SLICE(at[w].step)] = false;
	lock[LOCK(at[w].step)] = 0
}

inline write_cell(w, c)
{
	if
	:: COVERS(at[w].step, c) ->
		assert(cell_load[c] == at[w].base[c]);  /* else the rows of another load stay beside mine: twice there */
		assert(cell_seen[c] < at[w].seen);      /* an older extraction never covers a newer one */
		cell_load[c] = at[w].load;
		cell_seen[c] = at[w].seen
	:: else
	fi
}

/* Coverage is computed: in each cell the committed load with the highest number. Every two slices overlap, so each commit has to be
   the highest so far; its rows are what write_cell has just put there. */
inline check_coverage(w)
{
	assert(ledger_load[0] <= at[w].load);
	assert(ledger_load[1] <= at[w].load);
	assert(ledger_load[STEPS - 1] <= at[w].load)
}

/* The moment a COMMIT takes effect. */
inline commit_session(w)
{
	assert(commits[at[w].step] == 0);               /* a step commits at most once */
	assert(!FINAL(at[w].step));                     /* and never after its final state */
	write_cell(w, 0);
	write_cell(w, 1);
	commits[at[w].step]++;
#ifdef REPLACE_LEDGER_ROWS
	ledger[0] = false; ledger[1] = false;
#endif
	ledger[at[w].step] = true;
	ledger_load[at[w].step] = at[w].load;
	check_coverage(w);
	release_locks(w);
	at[w].phase = committed
}

inline abort_session(w)
{
	release_locks(w);
	at[w].phase = aborted
}

/* OPEN and the first half of REVOKE are one upsert, which waits for a publish that holds the row and refuses lower numbers. */
#define FENCE fence[SLICE(at[me].step)]
#define FENCE_FREE (!fence_shared[SLICE(at[me].step)])

#ifdef NO_REGISTRATION
/* No OPEN: what is left is REVOKE's number, and in the ledger, not to publish over a higher number that is committed. */
#define OVERTAKEN(w) (fence[SLICE(at[w].step)] > at[w].load || cell_load[1] > at[w].load || \
	(COVERS(at[w].step, 0) && cell_load[0] > at[w].load))
#elif defined(NO_OVERLAP_CHECK)
#define OVERTAKEN(w) (fence[SLICE(at[w].step)] != at[w].load)
#else
#define OVERTAKEN(w) (fence[SLICE(at[w].step)] != at[w].load || fence[1 - SLICE(at[w].step)] > at[w].load)
#endif

#ifdef NO_LEDGER_CHECK
#define ALREADY_LOADED(w) false
#else
#define ALREADY_LOADED(w) ledger[at[w].step]
#endif

#define LOCK_FREE (lock[LOCK(at[me].step)] == 0)

inline begin_publishing()
{
	lock[LOCK(at[me].step)] = me + 1;
	fence_shared[SLICE(at[me].step)] = true;
	at[me].base[0] = cell_load[0];
	at[me].base[1] = cell_load[1];
	at[me].phase = publishing
}

/* ---- processes ----------------------------------------------------------------------------------------------------------- */

active [WORKERS] proctype worker()
{
	byte me = _pid;

#ifdef DEATH
	{
		true;                   /* spin wants a block to begin with a statement, not with a label */
#endif
idle:		atomic {
			if
			:: FINISHED -> goto done
			:: step[0].state == queued && MAY_RUN(0) -> claim(0, running)
			:: step[1].state == queued && MAY_RUN(1) -> claim(1, running)
			:: step[0].state == revoking && step[0].owner == 0 -> claim(0, revoking); goto revoke
			:: step[1].state == revoking && step[1].owner == 0 -> claim(1, revoking); goto revoke
#if STEPS == 3
			:: step[2].state == queued && MAY_RUN(2) -> claim(2, running)
			:: step[2].state == revoking && step[2].owner == 0 -> claim(2, revoking); goto revoke
#endif
			fi
		}

#ifndef NO_REGISTRATION
		/* OPEN */
		atomic {
			FENCE_FREE;
			if
			:: FENCE < at[me].load -> FENCE = at[me].load
			:: else -> report_ghost(); goto idle
			fi
		}
#endif

		/* STAGE without locks */
		atomic { source_time++; at[me].seen = source_time }

		/* Staging ends with a refusal by a guard or the gate `staging`, or PUBLISH takes the lock and checks. Both are one block:
		   a registration between lock and checks cannot be told from one before the lock. */
		atomic {
			if
			:: report_failure(); goto idle
			:: LOCK_FREE ->
				if
				:: ALREADY_LOADED(me) -> report_success(); goto idle
				:: !ALREADY_LOADED(me) && OVERTAKEN(me) -> report_ghost(); goto idle
				:: else -> begin_publishing()
				fi
			fi
		}

		/* The difference is written, the gate `published` says yes or no, COMMIT is sent. The server may end the session first. */
		atomic {
			if
			:: at[me].phase == publishing -> at[me].phase = committing
			:: at[me].phase == publishing -> abort_session(me); report_failure(); goto idle
			:: at[me].phase == aborted -> report_failure(); goto idle
			fi
		}

		/* The answer comes, or it is lost whatever it was going to be. */
		atomic {
			if
			:: at[me].phase == committed -> report_success(); goto idle
			:: at[me].phase == aborted -> report_failure(); goto idle
			:: true
			fi
		}

		/* Rule 11. The old session is being ended, which only means that it will be over soon, either way: the lock says when. */
#ifdef SELECT_ONLY_AFTER_LOST_COMMIT
		/* A bare SELECT taken for proof: without a row the last attempt is failed for good. */
		atomic {
			if
			:: !ledger[at[me].step] && MINE && step[at[me].step].state == running &&
			   step[at[me].step].spent == ATTEMPTS - 1 ->
				step[at[me].step].state = failed; step[at[me].step].owner = 0
			:: else
			fi
		}
		(at[me].phase != committing);
#endif
		atomic {
			LOCK_FREE;
			if
			:: ledger[at[me].step] -> report_success()
			:: else -> report_failure()
			fi;
			goto idle
		}

revoke:
#ifndef NO_REVOCATION
		/* Refused: somebody is above every claim of this step already, which is as good. */
		atomic {
			FENCE_FREE;
			if
			:: FENCE < at[me].load -> FENCE = at[me].load
			:: else
			fi
		}
#endif
		/* What the ledger says under the lock stays true, so telling the control database can be part of it. */
		atomic {
			LOCK_FREE;
			if
			:: MINE && ledger[at[me].step] -> step[at[me].step].state = succeeded; step[at[me].step].owner = 0
			:: MINE && !ledger[at[me].step] -> step[at[me].step].state = step[at[me].step].verdict; step[at[me].step].owner = 0
			:: else
			fi;
			forget_attempt();
			goto idle
		}
done:		skip
#ifdef DEATH
	} unless { doomed && me == WORKERS - 1 }
#endif
}

/* The server's side of every session: a COMMIT that arrived takes effect sooner or later, or the session ends first (timeouts, an
   administrator, REVOKE, a cut line). It goes on when the worker has gone. */
active proctype warehouse()
{
	byte w;

end:	do
	:: atomic { at[0].phase == committing -> commit_session(0) }
	:: atomic { at[1].phase == committing -> commit_session(1) }
	:: atomic { at[0].phase == publishing || at[0].phase == committing -> abort_session(0) }
	:: atomic { at[1].phase == publishing || at[1].phase == committing -> abort_session(1) }
#if WORKERS == 3
	:: atomic { at[2].phase == committing -> commit_session(2) }
	:: atomic { at[2].phase == publishing || at[2].phase == committing -> abort_session(2) }
#endif
	od
}

#ifndef NO_LEASES
inline expire_lease(which)
{
	if
	:: step[which].state == running -> spend_attempt(which)
	:: step[which].state == revoking && step[which].owner != 0 && revoke_expiries < REVOKE_EXPIRIES ->
		revoke_expiries++;
		step[which].owner = 0
#ifdef DEATH
	:: step[which].state == revoking && step[which].owner != 0 && doomed && step[which].owner == at[WORKERS - 1].load ->
		step[which].owner = 0
#endif
	fi
}

active proctype leases()
{
end:	do
	:: atomic { expire_lease(0) }
	:: atomic { expire_lease(1) }
#if STEPS == 3
	:: atomic { expire_lease(2) }
#endif
	od
}
#endif

/* Cancels one step, or comes too late for any. */
active proctype canceller()
{
#ifdef REVOKE_NUMBER_DRAWN_EARLY
	atomic { draw_number(early_number) }
#endif
end:	atomic {
		if
		:: step[0].state == queued || step[0].state == running -> begin_revoking(0, cancelled)
		:: step[1].state == queued || step[1].state == running -> begin_revoking(1, cancelled)
		fi
	}
}

#ifdef DEATH
/* One worker dies for good, or lives on. The others have to bring every step to its end. */
active proctype fate()
{
end:	atomic { !FINISHED -> doomed = true }
}
#endif

#ifdef LIVENESS
ltl every_step_ends { <> FINISHED }
#endif
