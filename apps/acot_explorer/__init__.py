"""The dashboard: view model, steps, jobs and exports. `build` makes the page of one session."""
