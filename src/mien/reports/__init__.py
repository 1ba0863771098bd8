"""Numbers -> pages, tables and plots for people: of an evaluation, a comparison, an audit."""
