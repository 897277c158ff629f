"""What a trial is, one module a design. Each composes trials and checks what a reader says in them."""

from quiz_app.designs import rating

DESIGNS = {"rating": rating}
