"""`python -m pictures`: draws all dashboards, in a few minutes.

The processes that decode files import this module as well, so it imports nothing before it is run.
"""

if __name__ == "__main__":
    from pictures.making import main

    main()
