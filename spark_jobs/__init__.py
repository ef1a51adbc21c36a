"""How data moves: one file, one job; transforms are pure, edges alone touch the outside."""
