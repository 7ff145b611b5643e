"""The tables of a study file, and how older ones become the present ones."""

from __future__ import annotations

APPLICATION = 0x74696572  # "tier"
SCHEMA = 3
TRIAL = """CREATE TABLE trial (
    id INTEGER PRIMARY KEY,          -- order of asking, from 1
    genes TEXT NOT NULL,             -- "3-0-2-1-3-3"
    canon TEXT NOT NULL,             -- canonical key of the network, hexadecimal
    budget INTEGER NOT NULL,         -- of a cheap evaluation, such as its epochs; 0 is the full one
    why TEXT NOT NULL,               -- JSON: the strategy's reason
    state TEXT NOT NULL,             -- waiting, done, failed, withdrawn
    attempt INTEGER NOT NULL,        -- 1, or more after a crash
    seen INTEGER NOT NULL,           -- how many results the strategy knew when it asked
    steered INTEGER NOT NULL,        -- how many steering rows it knew
    told INTEGER UNIQUE,             -- order of telling, from 1
    metrics TEXT NOT NULL,           -- JSON: numbers by name
    error TEXT,
    asked REAL NOT NULL, started REAL, ended REAL  -- seconds since the epoch
)"""
ONCE = "CREATE UNIQUE INDEX once ON trial (canon, budget) WHERE state <> 'withdrawn'"
STEER = """CREATE TABLE steer (
    id INTEGER PRIMARY KEY,          -- order of writing, from 1
    time REAL NOT NULL,              -- seconds since the epoch
    who TEXT NOT NULL,
    after INTEGER NOT NULL,          -- how many results there were
    kind TEXT NOT NULL,
    what TEXT NOT NULL               -- JSON: the fields of its kind
)"""
VERSION = (f"PRAGMA application_id = {APPLICATION}", f"PRAGMA user_version = {SCHEMA}")
CREATE = (
    "CREATE TABLE study (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID",
    TRIAL,
    ONCE,
    STEER,
    *VERSION,
)
_OLD = "id, genes, canon, why, state, attempt, seen, told, metrics, error, asked, started, ended"
_KNEW = "(SELECT count(*) FROM steer WHERE after <= old.seen AND time <= old.asked)"
UPGRADE = {  # from schema -> statements that give the present one
    1: (
        "ALTER TABLE trial RENAME TO old",
        TRIAL,
        f"INSERT INTO trial (budget, steered, {_OLD}) SELECT 0, 0, {_OLD} FROM old",
        "DROP TABLE old",
        ONCE,
        STEER,
        *VERSION,
    ),
    2: (
        "ALTER TABLE trial RENAME TO old",
        TRIAL,
        f"INSERT INTO trial (budget, steered, {_OLD}) SELECT budget, {_KNEW}, {_OLD} FROM old",
        "DROP TABLE old",
        ONCE,
        *VERSION,
    ),
}
